"""ToolExecutorService over a real channel, with a real session-store behind it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from meshkit.errors import MeshError, Reason
from tests.support.embeddings_endpoint import EmbeddingsEndpoint, embeddings_endpoint
from tests.support.executor import RunningExecutor, running_executor
from tests.support.store import RunningStore, running_store
from tool_executor.__main__ import make_registry
from tool_executor.settings import ToolExecutorSettings
from tool_executor.wiring import make_embedder, make_knowledge_base
from toolkit import Effect, Registry
from voicemesh.session.v1 import session_store_pb2 as store_pb
from voicemesh.session.v1.journal_event_pb2 import Proof, VerifiedRecord
from voicemesh.tools.v1 import tool_executor_pb2 as pb

ALICE = '{"full_name": "Alice Brown", "ssn_last_4": "1234"}'
JOHN = '{"full_name": "John Smith", "ssn_last_4": "1234"}'
NO_ARGUMENTS: dict[str, Any] = {"parameters": {"type": "object", "properties": {}}}


@dataclass
class Controlled:
    """A tool whose runs the test holds back, lets go and counts."""

    go: asyncio.Event
    runs: int = 0
    ended: int = 0

    async def body(self, args: dict[str, Any]) -> dict[str, Any]:
        self.runs += 1
        await self.go.wait()
        self.ended += 1
        return {"success": True, "message": "done", "run": self.runs}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path / "valkey") as running:
        yield running


@pytest.fixture
async def session(store: RunningStore) -> str:
    """A fresh session; its name."""
    session_id = f"s-{secrets.token_hex(6)}"
    await store.sessions.CreateSession(
        store_pb.CreateSessionRequest(
            session_id=session_id,
            session=store_pb.Session(scenario="scenarios/banking"),
            request_id=session_id,
        )
    )
    return f"sessions/{session_id}"


@pytest.fixture
async def endpoint() -> AsyncIterator[EmbeddingsEndpoint]:
    async with embeddings_endpoint() as running:
        yield running


@pytest.fixture
def controlled() -> Controlled:
    return Controlled(asyncio.Event())


@pytest.fixture
async def executor(
    store: RunningStore, endpoint: EmbeddingsEndpoint, controlled: Controlled, tmp_path: Path
) -> AsyncIterator[RunningExecutor]:
    settings = ToolExecutorSettings(
        embeddings_base_url=endpoint.base_url, data_folder=str(tmp_path)
    )
    embedder = make_embedder(settings)
    registry = make_registry(settings, make_knowledge_base(settings, embedder))
    registry.register(
        "controlled", NO_ARGUMENTS, controlled.body, concurrency=1, effect=Effect.EFFECTFUL
    )
    async with running_executor(registry, store.address, heartbeat_seconds=0.02) as running:
        yield running
        controlled.go.set()
    await embedder.aclose()


def result(outcome: Any) -> dict[str, Any]:
    """The result of an outcome that has one."""
    assert outcome.WhichOneof("outcome") == "result_json", outcome
    shown: dict[str, Any] = json.loads(outcome.result_json)
    return shown


async def test_lists_the_shipped_tools(executor: RunningExecutor) -> None:
    listed = (await executor.stub.ListTools(pb.ListToolsRequest())).tools
    names = [tool.name for tool in listed]
    assert names == sorted(names)
    assert {
        "tools/verify_client_identity",
        "tools/get_account_summary",
        "tools/get_recent_transactions",
        "tools/search_knowledge_base",
    } <= set(names)
    verify = next(tool for tool in listed if tool.name == "tools/verify_client_identity")
    parameters = json.loads(verify.parameters_json)
    assert parameters["properties"]["ssn_last_4"]["pattern"] == r"^\d{4}$"
    assert verify.effect == pb.TOOL_EFFECT_IDEMPOTENT
    assert verify.timeout.ToTimedelta().total_seconds() == 5.0


async def test_pages_and_tags(executor: RunningExecutor) -> None:
    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListToolsRequest(page_size=2, page_token=token)
        page = await executor.stub.ListTools(request)
        assert 1 <= len(page.tools) <= 2
        seen += [tool.name for tool in page.tools]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 6
    banking = await executor.stub.ListTools(pb.ListToolsRequest(tags=["banking"]))
    assert [tool.name for tool in banking.tools] == [
        "tools/get_account_summary",
        "tools/get_recent_transactions",
        "tools/refund_fee",
    ]


@pytest.mark.parametrize("token", ["nonsense", "!!", "djI6eA==", "é"])
async def test_a_page_token_of_somebody_else(executor: RunningExecutor, token: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await executor.stub.ListTools(pb.ListToolsRequest(page_token=token))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_accounts_only_after_verification(
    executor: RunningExecutor, store: RunningStore, session: str
) -> None:
    before = await executor.run("get_account_summary", session=session)
    assert before.failure.reason == "NOT_VERIFIED"
    assert "full name" in before.failure.message
    assert "last four digits" in before.failure.message
    assert not before.HasField("execution_duration")

    verified = result(await executor.run("verify_client_identity", ALICE, session=session))
    assert verified["authenticated"] is True
    assert verified["client_id"] == "alice_brown_ab"

    after = await executor.run("get_account_summary", session=session)
    summary = result(after)
    assert summary["client_id"] == "alice_brown_ab"
    assert "2,450.67 dollars" in summary["message"]
    assert after.HasField("execution_duration")


async def test_the_proof_is_in_the_record(
    executor: RunningExecutor, store: RunningStore, session: str
) -> None:
    request = executor.request("verify_client_identity", ALICE, session=session)
    await executor.send(request)
    got = await store.sessions.GetVerified(store_pb.GetVerifiedRequest(name=f"{session}/verified"))
    assert got.verified.client_id == "alice_brown_ab"
    (proof,) = got.verified.proofs
    assert (proof.level, proof.method) == ("identity", "name_and_last4")
    assert proof.request_id == request.request_id
    assert proof.HasField("prove_time")
    assert "1234" not in str(got.verified)


async def test_nothing_hidden_is_in_an_outcome(executor: RunningExecutor, session: str) -> None:
    outcomes = [
        await executor.run(tool, arguments, session=session)
        for tool, arguments in [
            ("verify_client_identity", ALICE),
            ("get_account_summary", "{}"),
            ("get_recent_transactions", '{"limit": 50}'),
        ]
    ]
    text = " ".join(outcome.result_json for outcome in outcomes)
    assert "400512347781" not in text
    assert "ssn" not in text
    assert "1234" not in text


async def test_a_second_client_is_refused(executor: RunningExecutor, session: str) -> None:
    await executor.run("verify_client_identity", ALICE, session=session)
    second = await executor.run("verify_client_identity", JOHN, session=session)
    assert second.failure.reason == "POLICY_REFUSED"
    assert "CLT-001-JS" not in second.failure.message
    still = result(await executor.run("get_account_summary", session=session))
    assert still["client_id"] == "alice_brown_ab"


@pytest.mark.parametrize("client_id", ["CLT-001-JS", "alice_brown_ab OR 1=1", "ALICE_BROWN_AB"])
async def test_an_agent_tricked_by_its_prompt_reads_no_other_client(
    executor: RunningExecutor, session: str, client_id: str
) -> None:
    await executor.run("verify_client_identity", ALICE, session=session)
    arguments = json.dumps({"client_id": client_id})
    for tool in ("get_account_summary", "get_recent_transactions"):
        outcome = await executor.run(tool, arguments, session=session)
        assert outcome.failure.reason == "POLICY_REFUSED"
        assert "dollars" not in outcome.failure.message


async def test_verifying_again_changes_nothing(
    executor: RunningExecutor, store: RunningStore, session: str
) -> None:
    for _ in range(2):
        result(await executor.run("verify_client_identity", ALICE, session=session))
    got = await store.sessions.GetVerified(store_pb.GetVerifiedRequest(name=f"{session}/verified"))
    assert len(got.verified.proofs) == 1


async def test_a_proof_beside_another_is_merged(
    executor: RunningExecutor, store: RunningStore, session: str
) -> None:
    mfa = Proof(level="mfa", method="sms_code", request_id=f"{session}/t0/0/0")
    record = VerifiedRecord(name=f"{session}/verified", client_id="alice_brown_ab", proofs=[mfa])
    await store.sessions.SetVerified(store_pb.SetVerifiedRequest(verified=record))
    result(await executor.run("verify_client_identity", ALICE, session=session))
    got = await store.sessions.GetVerified(store_pb.GetVerifiedRequest(name=f"{session}/verified"))
    assert [proof.level for proof in got.verified.proofs] == ["mfa", "identity"]


async def test_wrong_digits_three_times_and_no_more(
    executor: RunningExecutor, session: str
) -> None:
    wrong = '{"full_name": "Alice Brown", "ssn_last_4": "0000"}'
    for _ in range(3):
        refused = result(await executor.run("verify_client_identity", wrong, session=session))
        assert refused["success"] is False
    right_but_late = await executor.run("verify_client_identity", ALICE, session=session)
    assert right_but_late.failure.reason == "POLICY_REFUSED"
    assert "colleague" in right_but_late.failure.message


async def test_the_knowledge_base_answers_anyone(executor: RunningExecutor, session: str) -> None:
    question = '{"query": "Why was I charged a foreign transaction fee?"}'
    found = result(await executor.run("search_knowledge_base", question, session=session))
    assert found["results"][0]["title"] == "Foreign Transaction Fee"
    assert found["source"] == "local_vector"
    assert found["message"].startswith("A foreign transaction fee of three percent")


async def test_the_knowledge_base_says_that_it_is_down(
    executor: RunningExecutor, endpoint: EmbeddingsEndpoint, session: str
) -> None:
    endpoint.fail_next = 1000
    outcome = await executor.run(
        "search_knowledge_base", '{"query": "overdraft fee"}', session=session
    )
    answer = result(outcome)
    assert answer["success"] is False
    assert "cannot look into our documents" in answer["message"]


async def test_heartbeats_while_it_runs_and_the_outcome_last(
    executor: RunningExecutor, controlled: Controlled, session: str
) -> None:
    call = executor.stub.ExecuteTool(executor.request("controlled", session=session), timeout=10)
    messages = []
    async for message in call:
        messages.append(message)
        controlled.go.set()
    assert len(messages) > 1
    assert messages[-1].HasField("outcome")
    assert all(message.HasField("heartbeat") for message in messages[:-1])


async def test_a_repeated_request_is_one_run(
    executor: RunningExecutor, controlled: Controlled, session: str
) -> None:
    request = executor.request("controlled", session=session)
    first = asyncio.create_task(executor.send(request))
    second = asyncio.create_task(executor.send(request))
    controlled.go.set()
    one, other = await first, await second
    later = await executor.send(request)
    assert one.outcome == other.outcome == later.outcome
    assert controlled.runs == 1


async def test_cancelling_stops_listening_not_the_tool(
    executor: RunningExecutor, controlled: Controlled, session: str
) -> None:
    request = executor.request("controlled", session=session)
    call = executor.stub.ExecuteTool(request, timeout=10)
    await call.read()
    call.cancel()
    controlled.go.set()
    again = await executor.send(request)
    assert json.loads(again.outcome.result_json)["run"] == 1
    assert (controlled.runs, controlled.ended) == (1, 1)


async def test_request_id_reused(executor: RunningExecutor, session: str) -> None:
    request = executor.request("search_knowledge_base", '{"query": "overdraft"}', session=session)
    await executor.send(request)
    request.arguments_json = '{"query": "mortgage"}'
    with pytest.raises(MeshError) as caught:
        await executor.send(request)
    assert caught.value.is_reason(Reason.REQUEST_ID_REUSED)


async def test_concurrency_exceeded_then_free_again(
    executor: RunningExecutor, controlled: Controlled, session: str
) -> None:
    held = asyncio.create_task(executor.send(executor.request("controlled", session=session)))
    while not controlled.runs:
        await asyncio.sleep(0)
    request = executor.request("controlled", session=session)
    with pytest.raises(MeshError) as caught:
        await executor.send(request)
    assert caught.value.is_reason(Reason.TOOL_CONCURRENCY_EXCEEDED)
    assert caught.value.retry_after_seconds == 0.25
    controlled.go.set()
    await held
    assert json.loads((await executor.send(request)).outcome.result_json)["run"] == 2


async def test_draining_refuses_new_runs_and_still_knows_old_ones(
    executor: RunningExecutor, session: str
) -> None:
    old = executor.request("search_knowledge_base", '{"query": "overdraft"}', session=session)
    known = await executor.send(old)
    await executor.execution.refuse_new()
    with pytest.raises(MeshError) as caught:
        await executor.run("get_account_summary", session=session)
    assert caught.value.is_reason(Reason.POD_DRAINING)
    assert (await executor.send(old)).outcome == known.outcome


async def test_a_session_that_is_not_there(executor: RunningExecutor) -> None:
    with pytest.raises(MeshError) as caught:
        await executor.run("get_account_summary", session="sessions/nobody")
    assert caught.value.is_reason(Reason.SESSION_NOT_FOUND)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "get_account_summary"},
        {"name": "tools/"},
        {"agent": "concierge"},
        {"agent": ""},
        {"request_id": "random"},
        {"request_id": ""},
    ],
)
async def test_malformed_names(executor: RunningExecutor, given: dict[str, str]) -> None:
    with pytest.raises(MeshError) as caught:
        await executor.run("get_account_summary", **given)
    assert caught.value.is_reason(Reason.NAME_MALFORMED)
    assert list(caught.value.fields) == list(given)


async def test_a_request_id_of_another_session(executor: RunningExecutor, session: str) -> None:
    with pytest.raises(MeshError) as caught:
        await executor.run("get_account_summary", session=session, request_id="sessions/b/t1/0/0")
    assert caught.value.is_reason(Reason.ARGUMENT_INVALID)


async def test_without_a_store_nothing_runs() -> None:
    ran = False

    async def body(args: dict[str, Any]) -> dict[str, Any]:
        nonlocal ran
        ran = True
        return {}

    registry = Registry()
    registry.register("any", NO_ARGUMENTS, body)
    async with running_executor(registry, "127.0.0.1:9", store_seconds=0.3) as executor:
        with pytest.raises(MeshError) as caught:
            await executor.run("any")
    assert caught.value.is_reason(Reason.STORE_UNAVAILABLE)
    assert caught.value.retry_after_seconds
    assert not ran


@pytest.mark.parametrize("setting", ["turn_max_runs", "call_max_runs"])
async def test_a_budget_that_changes_holds_without_a_restart(
    executor: RunningExecutor, session: str, controlled: Controlled, setting: str
) -> None:
    controlled.go.set()
    first = await executor.run("controlled", session=session)
    assert first.WhichOneof("outcome") == "result_json"
    executor.settings.live.change(setting, 1, getattr(executor.settings, setting))
    assert (await executor.run("controlled", session=session)).failure.reason == "POLICY_REFUSED"

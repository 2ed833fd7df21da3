"""`voicemesh ingest`, as ops type it: what it says, what it embeds, how it ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from tests.support.cosmos_emulator import CosmosEmulator, Fault
from tests.support.embeddings_endpoint import EmbeddingsEndpoint, embeddings_thread


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents" / "fees"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("# A\n\n## Overdraft\n35 dollars.\n\n## Wire\n20 dollars.\n")
    return folder.parent


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_DATA_FOLDER", str(tmp_path / "data"))


def run(documents: Path, *words: str) -> Result:
    knowledge = documents.parent / "knowledge"
    return CliRunner().invoke(main, ["ingest", str(documents), str(knowledge), *words])


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddingsEndpoint]:
    with embeddings_thread() as running:
        monkeypatch.setenv("VOICEMESH_EMBEDDINGS_BASE_URL", running.base_url)
        yield running


def test_it_converts_and_embeds(documents: Path, endpoint: EmbeddingsEndpoint) -> None:
    result = run(documents)
    assert result.exit_code == 0, result.output
    assert "1 converted, 0 unchanged, 0 removed, 0 failed" in result.stdout
    assert "2 passages are ready" in result.stdout
    assert "VOICEMESH_KNOWLEDGE_FOLDER=" in result.stdout
    assert len(endpoint.embedded) == 2


def test_only_a_changed_passage_is_embedded_again(
    documents: Path, endpoint: EmbeddingsEndpoint
) -> None:
    run(documents)
    file = documents / "fees" / "a.md"
    file.write_text(file.read_text().replace("20 dollars", "25 dollars"))
    before = len(endpoint.embedded)
    assert run(documents).exit_code == 0
    again = [text for text in endpoint.embedded[before:] if text != "dimension"]
    assert again == ["Wire. 25 dollars."]


def test_a_document_that_fails_is_named_and_the_rest_is_done(documents: Path) -> None:
    (documents / "fees" / "b.pdf").write_bytes(b"broken")
    result = run(documents, "--no-embed")
    assert result.exit_code == 1
    assert "1 converted, 0 unchanged, 0 removed, 1 failed" in result.stdout
    assert "fees/b.pdf is not a PDF" in result.stderr


def test_an_endpoint_that_is_away_is_said_and_nothing_is_lost(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("VOICEMESH_EMBEDDINGS_BASE_URL", f"http://127.0.0.1:{port}/v1")
    result = run(documents)
    assert result.exit_code == 3
    assert "cannot be embedded now" in result.stderr
    assert "--no-embed" in result.stderr
    assert (documents.parent / "knowledge" / "fees" / "a.md").is_file()


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    result = run(tmp_path / "absent", "--no-embed")
    assert result.exit_code == 2
    assert "is not a folder of documents" in result.stderr


def test_with_cosmos_the_passages_are_put_there(
    documents: Path, endpoint: EmbeddingsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = [{"path": "/vector", "dataType": "float32", "distanceFunction": "cosine"}]
    with CosmosEmulator() as account:
        account.add(
            *("voicemesh", "knowledge", ["/collection"]),
            vectorEmbeddingPolicy={"vectorEmbeddings": vectors},
        )
        monkeypatch.setenv("VOICEMESH_COSMOS_ENDPOINT", account.endpoint)
        monkeypatch.setenv("VOICEMESH_COSMOS_KEY", account.key)
        result = run(documents)
        assert result.exit_code == 0, result.output
        stored = account.documents("voicemesh", "knowledge")
        assert {(one["collection"], one["title"]) for one in stored} == {
            ("fees", "Overdraft"),
            ("fees", "Wire"),
        }
        account.always = Fault(403)
        result = run(documents)
    assert result.exit_code == 3
    assert "voicemesh/knowledge" in result.stderr


def test_a_cosmos_that_cannot_be_is_wrong_usage(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEMESH_COSMOS_ENDPOINT", "http://db.example")
    result = run(documents)
    assert result.exit_code == 2
    assert "VOICEMESH_COSMOS_ENDPOINT" in result.stderr


def test_it_is_listed_among_the_commands() -> None:
    assert "ingest" in CliRunner().invoke(main, ["--help"]).output

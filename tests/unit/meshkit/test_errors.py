"""A MeshError is the same on both sides of the wire."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2

from meshkit.errors import MeshError, Reason, from_status, invalid, status_of, unreachable


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_survives_the_wire(reason: Reason) -> None:
    back = from_status(status_of(MeshError(reason, "said so"), "speech-pool.voicemesh"))
    assert (back.reason, back.code, back.message) == (reason.name, reason.code, "said so")
    assert back.domain == "speech-pool.voicemesh"


def test_no_two_reasons_are_aliases_of_one_another() -> None:
    assert len(Reason.__members__) == len(list(Reason))


def test_details_survive_the_wire() -> None:
    error = MeshError(
        Reason.POOL_EXHAUSTED, "full", metadata={"waitingCount": "3"}, retry_after_seconds=1.25
    )
    back = from_status(status_of(error, "d"))
    assert back.metadata == {"waitingCount": "3"}
    assert back.retry_after_seconds == 1.25


def test_a_bad_field_is_named_in_bad_request() -> None:
    status = status_of(invalid("ttl", "must be 1 s to 10 min", Reason.TTL_OUT_OF_RANGE), "d")
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert bad.field_violations[0].field == "ttl"
    assert from_status(status).fields == {"ttl": "must be 1 s to 10 min"}


def test_without_a_retry_hint_there_is_no_retry_info() -> None:
    status = status_of(MeshError(Reason.SESSION_NOT_FOUND, "gone"), "d")
    assert not any(d.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for d in status.details)


def test_only_unavailable_may_be_retried() -> None:
    assert MeshError(Reason.STORE_UNAVAILABLE, "").retryable
    assert not MeshError(Reason.POOL_EXHAUSTED, "").retryable
    assert unreachable(grpc.StatusCode.UNAVAILABLE, "refused", "a:1").retryable


def test_the_text_of_an_error_names_its_reason_and_peer() -> None:
    assert (
        str(unreachable(grpc.StatusCode.UNAVAILABLE, "refused", "a:1"))
        == "UNAVAILABLE: a:1: refused"
    )

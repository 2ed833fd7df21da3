"""What a script's refusal means to the caller: each once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meshkit.errors import MeshError, Reason, invalid
from meshkit.names import session_name


def accepted(session_id: str, reply: Sequence[Any]) -> Sequence[Any]:
    """What follows `OK` in a script's reply. Raises MeshError for any other first word."""
    word, *rest = reply
    if word == b"OK":
        return rest
    raise _refusal(session_name(session_id), word.decode(), rest)


def _refusal(name: str, word: str, details: Sequence[Any]) -> MeshError:
    shown = [part.decode() if isinstance(part, bytes) else str(part) for part in details]
    match word:
        case "MISSING":
            return MeshError(Reason.SESSION_NOT_FOUND, f"{name} does not exist, or has expired")
        case "EXISTS":
            return MeshError(Reason.SESSION_EXISTS, f"{name} was made by another request")
        case "ENDED":
            return MeshError(Reason.SESSION_ENDED, f"{name} has ended")
        case "CONFLICT":
            return MeshError(Reason.SESSION_CONFLICT, f"the etag is stale; read {name} again")
        case "CLIENT_CHANGED":
            return MeshError(Reason.CLIENT_CHANGED, f"{name} has proved another client_id")
        case "SUPERSEDED":
            return _superseded(name, shown[0])
        case "EPOCH_UNKNOWN":
            return invalid("owner_epoch", f"was never given out for {name}; latest is {shown[0]}")
        case "OWNED":
            return _owned(name, *shown)
        case "REUSED":
            problem = f"the request_id was used for another tool or other arguments in {name}"
            return MeshError(Reason.REQUEST_ID_REUSED, problem)
        case "NO_CLAIM":
            return MeshError(Reason.CLAIM_NOT_FOUND, f"the tool was never claimed in {name}")
        case "CLAIM_LOST":
            return MeshError(Reason.CLAIM_LOST, f"the claim in {name} is another's, or has ended")
        case "TOO_MANY":
            return MeshError(Reason.DOCUMENT_TOO_LARGE, f"{name} is full; it has {shown[0]}")
        case _:
            raise AssertionError(f"no script answers {word}")


def _superseded(name: str, epoch: str) -> MeshError:
    return MeshError(
        Reason.CALL_OWNER_SUPERSEDED,
        f"the call of {name} is at epoch {epoch} and is not yours",
        metadata={"epoch": epoch},
    )


def _owned(name: str, address: str, epoch: str) -> MeshError:
    return MeshError(
        Reason.CALL_OWNED,
        f"the call of {name} is owned by {address}",
        metadata={"address": address, "epoch": epoch},
    )

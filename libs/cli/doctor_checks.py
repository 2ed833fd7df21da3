"""What `voicemesh doctor` makes of what it found: ok, warn or fail, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from meshkit.health import NotReady

MIN_PYTHON = (3, 11)
GIB = 1024**3
DISK_FAIL_BYTES, DISK_WARN_BYTES = GIB // 2, 2 * GIB
"""An installation with its tests takes 1.1 GB; state and recordings come on top."""
MEMORY_FAIL_BYTES, MEMORY_WARN_BYTES = GIB, 2 * GIB
"""A mesh with local engines and the planner holds about a gigabyte."""
SKEW_WARN_SECONDS, SKEW_FAIL_SECONDS = 2.0, 30.0
"""Tickets and tokens are dated in seconds; Entra refuses tokens minutes off, certificates at once."""
ENDING_DAYS = 14.0
OPEN_FILES_WARN = 4096
"""A call takes some twenty descriptors over the processes of a mesh; the usual soft limit is 1024."""
ENGINES = {
    "recogniser": {
        "moonshine": "onnxruntime",
        "whisper": "faster_whisper",
        "pocketsphinx": "pocketsphinx",
    },
    "synthesiser": {"hibari": "hibari", "piper": "piper", "espeak": "espeak-ng"},
}
"""What each local engine needs: a package, for espeak a program."""


ADVICE: Mapping[str, str] = {
    NotReady.STARTING: "Wait; if it stays so for a minute, look at its logs.",
    NotReady.LOADING_ENGINE: "Wait; if it stays so, check the speech provider's credentials and"
    " quota, or the local engine.",
    NotReady.WAITING_FOR_REDIS: "Start Redis, or set VOICEMESH_REDIS_URL of the session-store to"
    " where it is, with its password.",
    NotReady.WAITING_FOR_TOOLS: "Start the tool-executor, or set VOICEMESH_TOOL_EXECUTOR_TARGET of"
    " the orchestrator to where it is.",
    NotReady.WAITING_FOR_PEER: "Mend that service; its line says how.",
    NotReady.DRAINING: "It was told to stop. If no other pod serves, start one.",
}
"""What to do about each reason that a process gives."""


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, but not well, or not for long."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    check: str
    status: Status
    said: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


def ok(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check, Status.OK, said)


def warn(check: str, said: str, advice: str) -> Finding:
    """It works, but."""
    return Finding(check, Status.WARN, said, advice)


def fail(check: str, said: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check, Status.FAIL, said, advice)


def python(version: tuple[int, int, int]) -> Finding:
    """The interpreter."""
    shown = ".".join(map(str, version))
    if version[:2] < MIN_PYTHON:
        return fail("python", shown, "Install Python 3.11 or newer, and `make install` with it.")
    return ok("python", shown)


def platform(system: str, machine: str) -> Finding:
    """The wheels of the embedded Valkey and the locked engines are for one platform."""
    shown = f"{system} {machine}"
    if (system, machine) == ("Linux", "x86_64"):
        return ok("platform", shown)
    return warn(
        "platform",
        shown,
        "Wheels of the engines may be missing here, and Valkey is not embedded: put valkey-server"
        " on PATH, or use docker compose.",
    )


def space(check: str, free: int, limits: tuple[int, int], advice: str) -> Finding:
    """Bytes that are free, against what fails and what warns."""
    shown = f"{free / GIB:.1f} GiB free"
    if free < limits[0]:
        return fail(check, shown, advice)
    return warn(check, shown, advice) if free < limits[1] else ok(check, shown)


def open_files(most: int) -> Finding:
    """How many descriptors a process may have; below zero: any number."""
    if 0 <= most < OPEN_FILES_WARN:
        advice = f"Raise it, as with `ulimit -n {OPEN_FILES_WARN}`, before many calls are made."
        return warn("open files", f"at most {most} a process", advice)
    return ok("open files", f"at most {most} a process" if most >= 0 else "without limit")


def engines(kind: str, installed: Sequence[str]) -> Finding:
    """Local speech engines of one kind."""
    if installed:
        return ok(kind, ", ".join(installed))
    return warn(
        kind,
        "no local engine is installed",
        "Run `make install`; with VOICEMESH_SPEECH_PROVIDER=azure none is needed.",
    )


def ports(taken: Mapping[str, int]) -> Finding:
    """The usual ports of a local mesh, by name, that something listens on."""
    if not taken:
        return ok("ports", "the usual ones are free")
    shown = ", ".join(f"{port} ({name.replace('_', '-')})" for name, port in taken.items())
    return warn(
        "ports",
        f"in use: {shown}",
        "If that is not a mesh of yours, stop it, or run `voicemesh up --free-ports`.",
    )


def clock(skew_seconds: float, reference: str, blur_seconds: float = 1.0) -> Finding:
    """This machine's clock against another's, which is known to `blur_seconds` only."""
    off = max(0.0, abs(skew_seconds) - blur_seconds)
    direction = "ahead of" if skew_seconds > 0 else "behind"
    shown = f"{abs(skew_seconds):.1f} s {direction} {reference}"
    advice = "Synchronise the clock, as with chrony or systemd-timesyncd."
    if off > SKEW_FAIL_SECONDS:
        return fail("clock", shown, advice)
    return warn("clock", shown, advice) if off > SKEW_WARN_SECONDS else ok("clock", shown)


def certificate(service: str, not_after: datetime, now: datetime) -> Finding:
    """A certificate that serves; how long it still will."""
    days = (not_after - now).total_seconds() / 86_400
    shown = f"good until {not_after:%Y-%m-%d %H:%M} UTC, {days:.1f} days"
    check = f"{service} certificate"
    if days < ENDING_DAYS:
        # Short-lived certificates are rotated by machines, so this alone is no failure.
        return warn(check, shown, "See that what issues it (cert-manager) rotates it in time.")
    return ok(check, shown)


def version(service: str, theirs: str, ours: str) -> Finding:
    """What a service runs against what this command is of."""
    if theirs == ours:
        return ok(f"{service} version", theirs)
    return warn(
        f"{service} version",
        f"{theirs or 'not told'}, this command is {ours}",
        "Deploy one version everywhere, or use the command of the deployed one.",
    )


def advice_of(reason: str) -> str:
    """What to do about a process that says why it takes no work, as `reason` or `reason: detail`."""
    known = reason.partition(":")[0]
    return ADVICE.get(known, "Look at its logs; it may be starting.")


def waiting_settings(service: str, address: str, names: Sequence[str]) -> Finding:
    """Settings that App Configuration has and the process does not use yet."""
    shown = f"{address} started before these changed: {', '.join(names)}"
    return warn(f"{service} settings", shown, "Restart it to have them take effect.")


def quota_room(quota: str, limit: int, wanted: int, kind: str) -> Finding:
    """A quota of the fleet against the clients that all pods may open together."""
    shown = f"{wanted} {kind}s at most, of {limit}"
    if wanted > limit:
        setting = f"VOICEMESH_{kind.upper()}_MAX"
        return warn(quota, shown, f"Raise the quota, or lower {setting} times the pods to it.")
    return ok(quota, shown)


def model_endpoint(check: str, where: str, status: int) -> Finding:
    """An endpoint of models, by what it answered to a request for the list of them."""
    shown = f"{where} answers {status}"
    if status in (401, 403):
        return fail(
            check, f"{shown}: the key is refused", "Give the service that asks it a key that holds."
        )
    if status == 429 or status >= 500:
        return warn(check, shown, "It throttles or fails: look at the provider's quota and status.")
    return ok(check, f"{where} answers")


def pool(row: Mapping[str, Any]) -> Finding:
    """One pool of the speech-pool, as `voicemesh pools` tells it."""
    check, shown = f"{row['kind']} pool", f"{row['leased']} of {row['max']} leased"
    if row["breaker"] not in ("closed", "unspecified"):
        return fail(
            check,
            f"{shown}, breaker {row['breaker']}",
            "The speech provider fails: look at the speech-pool's logs and credentials.",
        )
    if row["leased"] >= row["max"]:
        name = row["kind"].upper()
        return warn(check, shown, f"Add pods, or raise VOICEMESH_{name}_MAX within the quota.")
    return ok(check, f"{shown}, {row['warm']} warm of {row['target']}")


def redis(info: bytes, durability: str) -> Finding:
    """The store's server by its INFO, against how it must keep what it is given."""
    facts = dict(
        line.split(":", 1)
        for line in info.decode(errors="replace").splitlines()
        if ":" in line and not line.startswith("#")
    )
    name = facts.get("valkey_version") or facts.get("redis_version") or "unknown"
    shown = f"answers, version {name}, durability {durability}"
    if durability == "disk" and facts.get("aof_enabled") != "1":
        return fail(
            "redis",
            f"{shown}, but appendonly is off",
            "Set `appendonly yes` on the server, or VOICEMESH_STORE_DURABILITY to replica.",
        )
    return ok("redis", shown)


def quota_names(used: Mapping[str, str], known: Sequence[str]) -> list[Finding]:
    """Quotas that the speech-pool's settings name, against those that the session-store has."""
    return [
        ok(setting, quota)
        if quota.removeprefix("quotas/") in known or quota in known
        else fail(
            setting,
            f"{quota} is no quota of the session-store",
            f"Add it to VOICEMESH_QUOTAS there, which has: {', '.join(known) or 'none'}.",
        )
        for setting, quota in used.items()
        if quota
    ]


def credentials(service: str, settings: Mapping[str, Any]) -> list[Finding]:
    """What a service needs to reach its provider or to keep strangers out, by its settings.

    Values are looked at for whether they are there, and never shown.
    """
    judge = _CREDENTIALS.get(service)
    return judge(settings) if judge else []


def _gateway(settings: Mapping[str, Any]) -> list[Finding]:
    found = []
    for name, door in (("media_key", "media socket"), ("control_key", "control plane")):
        variable = f"VOICEMESH_{name.upper()}"
        if settings[name]:
            found.append(ok(f"gateway {name}", "set"))
        else:
            found.append(
                warn(
                    f"gateway {name}",
                    f"not set: the {door} is for this machine only, and asks nobody who it is",
                    f"Set {variable} to a secret of at least 32 characters before it is deployed.",
                )
            )
    return found


def _speech_pool(settings: Mapping[str, Any]) -> list[Finding]:
    check = "speech credentials"
    provider = settings["speech_provider"] or settings["profile"]
    if provider != "azure":
        return [ok(check, f"provider {provider} needs none")]
    if settings["azure_speech_key"]:
        if settings["azure_speech_region"] or settings["azure_speech_endpoint"]:
            return [ok(check, "Azure, by key")]
        return [fail(check, "Azure, a key without a region", "Set AZURE_SPEECH_REGION.")]
    if settings["azure_speech_endpoint"]:
        return [ok(check, "Azure, by the pod's Entra identity")]
    advice = "Set AZURE_SPEECH_ENDPOINT for Entra, or AZURE_SPEECH_KEY with AZURE_SPEECH_REGION."
    return [fail(check, "Azure, neither key nor endpoint", advice)]


def _orchestrator(settings: Mapping[str, Any]) -> list[Finding]:
    check = "model credentials"
    if not settings["azure_openai_endpoint"]:
        keyed = "a key" if settings["model_api_key"] else "no key"
        return [ok(check, f"OpenAI-compatible endpoint, {keyed}")]
    if settings["azure_openai_api_key"]:
        return [ok(check, "Azure OpenAI, by key")]
    if settings["model_api_key"]:
        advice = "Set AZURE_OPENAI_API_KEY, or neither for the pod's Entra identity."
        return [fail(check, "Azure OpenAI, which is not shown VOICEMESH_MODEL_API_KEY", advice)]
    return [ok(check, "Azure OpenAI, by the pod's Entra identity")]


_CREDENTIALS = {"gateway": _gateway, "speech-pool": _speech_pool, "orchestrator": _orchestrator}

"""Certificates: what cannot serve is one sentence, and a rotation is taken over when it is whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from meshkit.settings import MeshSettings, SettingsError, load_settings
from meshkit.tls import MAX_FILE_BYTES, CertificateRefused, Certificates, Files, read_bundle
from tests.support.certificates import PrivateCA

NOW = datetime.now(UTC)
NAME = "speech-pool.voicemesh"


class SetClock:
    """A clock that a test sets."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


@pytest.fixture(scope="module")
def ca() -> PrivateCA:
    return PrivateCA()


@pytest.fixture
def files(ca: PrivateCA, tmp_path: Path) -> Files:
    return ca.files_for(tmp_path, "speech-pool")


def refusal(files: Files, now: datetime = NOW, service: str = "speech-pool") -> str:
    with pytest.raises(CertificateRefused) as caught:
        read_bundle(files, service, now)
    said = str(caught.value)
    assert said.endswith(".")
    assert said.count(". ") == 0, "one sentence"
    return said


# ------------------------------------------------------------------ what cannot serve


def test_files_that_fit_are_taken(files: Files) -> None:
    bundle = read_bundle(files, "speech-pool", NOW)
    assert bundle.not_before < NOW < bundle.not_after
    assert "PRIVATE" not in repr(bundle)


@pytest.mark.parametrize("which", ["certificate", "key", "ca"])
def test_a_file_that_is_not_there(files: Files, which: str) -> None:
    Path(getattr(files, which)).unlink()
    said = refusal(files)
    assert f"VOICEMESH_TLS_{which.upper()}" in said
    assert "No such file" in said


@pytest.mark.parametrize("which", ["certificate", "key", "ca"])
@pytest.mark.parametrize(
    "content", [b"", b"words", b"\xff\xfe\x00", b"-----BEGIN CERTIFICATE-----"]
)
def test_a_file_with_something_else(files: Files, which: str, content: bytes) -> None:
    Path(getattr(files, which)).write_bytes(content)
    assert f"VOICEMESH_TLS_{which.upper()}" in refusal(files)


def test_a_file_without_end_is_not_read(files: Files) -> None:
    Path(files.ca).write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    assert "too large" in refusal(files)


def test_a_key_with_a_password(files: Files) -> None:
    key = load_pem_private_key(Path(files.key).read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s"))
    Path(files.key).write_bytes(locked)
    assert "without a password" in refusal(files)


def test_the_key_of_another_certificate(ca: PrivateCA, files: Files) -> None:
    Path(files.key).write_bytes(ca.issue(NAME).key)
    assert "not the one of the certificate" in refusal(files)


def test_dates(files: Files) -> None:
    bundle = read_bundle(files, "speech-pool", NOW)
    assert "expired at" in refusal(files, bundle.not_after)
    assert "not valid before" in refusal(files, bundle.not_before - timedelta(seconds=1))
    assert read_bundle(files, "speech-pool", bundle.not_before) == bundle


def test_a_certificate_of_another_service(files: Files) -> None:
    said = refusal(files, service="gateway")
    assert "for speech-pool.voicemesh" in said
    assert "gateway.voicemesh" in said


def test_a_certificate_that_only_has_a_common_name(ca: PrivateCA, tmp_path: Path) -> None:
    files = ca.write(tmp_path, ca.issue(common_name=NAME))
    assert "no DNS name" in refusal(files)


@pytest.mark.parametrize("given", [("certificate",), ("key", "ca"), ("certificate", "ca")])
def test_a_part_of_the_three_settings(
    given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in given:
        monkeypatch.setenv(f"VOICEMESH_TLS_{name.upper()}", "/somewhere")
    with pytest.raises(SettingsError) as caught:
        load_settings(MeshSettings)
    for name in {"certificate", "key", "ca"} - set(given):
        assert f"VOICEMESH_TLS_{name.upper()}" in str(caught.value)


# ------------------------------------------------------------------ rotation


async def test_a_change_is_told_once(ca: PrivateCA, files: Files, tmp_path: Path) -> None:
    certificates, told = Certificates("speech-pool", files), []
    end = certificates.on_change(lambda: told.append(certificates.current.serial))
    await certificates.look()
    assert told == []
    issued = ca.issue(NAME)
    ca.write(tmp_path, issued)
    await certificates.look()
    await certificates.look()
    assert told == [issued.serial]
    end()
    ca.write(tmp_path, ca.issue(NAME))
    await certificates.look()
    assert told == [issued.serial]


async def test_a_rotation_half_written_is_waited_for(
    ca: PrivateCA, files: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates("speech-pool", files)
    before, issued = certificates.current, ca.issue(NAME)
    Path(files.certificate).write_bytes(issued.certificate)
    with caplog.at_level(logging.WARNING, "meshkit.tls"):
        await certificates.look()
        await certificates.look()
    assert certificates.current == before
    assert [r.getMessage() for r in caplog.records] == ["certificate not taken"]
    Path(files.key).write_bytes(issued.key)
    await certificates.look()
    assert certificates.current.serial == issued.serial


async def test_files_that_go_leave_what_was_there(files: Files) -> None:
    certificates = Certificates("speech-pool", files)
    before = certificates.current
    Path(files.key).unlink()
    await certificates.look()
    assert certificates.current == before


async def test_a_certificate_that_nobody_rotates_is_warned_of_once(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock()
    certificates = Certificates("speech-pool", files, clock=clock)
    with caplog.at_level(logging.WARNING, "meshkit.tls"):
        await certificates.look()
        assert caplog.records == []
        clock.time = certificates.current.not_after - timedelta(hours=2)
        await certificates.look()
        await certificates.look()
    (record,) = caplog.records
    assert "ends soon" in record.getMessage()


async def test_the_watch_looks_each_interval(ca: PrivateCA, files: Files, tmp_path: Path) -> None:
    slept: list[float] = []
    issued = ca.issue(NAME)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            ca.write(tmp_path, issued)
        if len(slept) == 3:
            raise StopWatching

    certificates = Certificates("speech-pool", files, interval=7.0, sleep=sleep)
    with pytest.raises(StopWatching):
        await certificates.watch()
    assert slept == [7.0, 7.0, 7.0]
    assert certificates.current.serial == issued.serial


async def test_the_watch_survives_a_listener_that_fails(
    ca: PrivateCA, files: Files, tmp_path: Path
) -> None:
    told: list[int] = []

    async def sleep(seconds: float) -> None:
        if len(told) == 2:
            raise StopWatching
        ca.write(tmp_path, ca.issue(NAME))

    def fail() -> None:
        told.append(certificates.current.serial)
        raise ZeroDivisionError

    certificates = Certificates("speech-pool", files, sleep=sleep)
    certificates.on_change(fail)
    with pytest.raises(StopWatching):
        await certificates.watch()
    assert len(set(told)) == 2


class StopWatching(BaseException):
    """Ends a watch in a test."""


def test_a_channel_checks_the_name_of_the_callee(files: Files) -> None:
    options: Callable[[str], object] = Certificates("speech-pool", files).channel_options
    assert options("orchestrator") == [("grpc.ssl_target_name_override", "orchestrator.voicemesh")]

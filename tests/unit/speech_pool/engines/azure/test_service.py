"""What clients share, without an SDK: threads, links, failures, settings."""

from __future__ import annotations

import logging

import pytest

from speech_pool.engines.azure.failures import Refused, in_use, while_opening
from speech_pool.engines.azure.service import Link, SdkThreads, SpeechResource
from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.engines.azure.signals import Connected, Disconnected, Failed, Trouble
from speech_pool.ports import ProviderError, VoiceNotFound
from warmpool import OpenThrottled


def test_threads_are_counted_up_to_the_bound_and_back() -> None:
    threads = SdkThreads(8)
    threads.reserve(5)
    threads.reserve(3)

    with pytest.raises(OpenThrottled, match="8 of 8 SDK threads"):
        threads.reserve(1)

    threads.release(3)
    threads.reserve(3)
    assert threads.reserved == 8


async def test_a_link_follows_its_signals() -> None:
    link = Link()
    assert not await link.until_up(0.001)

    link.take(Connected())
    assert await link.until_up(1)
    assert link.is_up

    link.take(Disconnected())
    assert not link.is_up

    link.take(Failed(Trouble.LOST))
    assert await link.until_up(1)
    assert link.trouble is Trouble.LOST


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_has_an_error(trouble: Trouble) -> None:
    assert isinstance(in_use(trouble), ProviderError | VoiceNotFound)
    assert str(in_use(trouble))
    assert isinstance(while_opening(trouble, 2.5), Exception)


def test_throttling_while_opening_carries_the_pause() -> None:
    error = while_opening(Trouble.THROTTLED, 2.5)

    assert isinstance(error, OpenThrottled)
    assert error.retry_after_seconds == 2.5


async def test_a_refusal_is_logged_once_until_a_client_is_accepted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    resource = SpeechResource(AzureSettings(key="k", region="westeurope"), config=None)

    with caplog.at_level(logging.ERROR):
        errors = [resource.opening_error(Trouble.REFUSED) for _ in range(3)]
        assert len(caplog.records) == 1
        resource.note_opened()
        resource.opening_error(Trouble.REFUSED)

    assert len(caplog.records) == 2
    assert all(isinstance(error, Refused) for error in errors)


@pytest.mark.parametrize(
    "wrong", [{"connect_seconds": 0}, {"answer_seconds": -1}, {"languages": ()}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AzureSettings(**wrong)  # type: ignore[arg-type]

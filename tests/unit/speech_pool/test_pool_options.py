"""What a deployment tells of ages and checks reaches the pools."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from speech_pool.pools import RECOGNIZER, Pools
from speech_pool.settings import SpeechPoolSettings
from tests.support.scripted_engine import Script, ScriptedProvider


def test_the_settings_reach_the_pools() -> None:
    settings = SpeechPoolSettings(
        pool_check_bypass_seconds=0.5, pool_max_age_seconds=600, pool_max_idle_seconds=60
    )
    options = Pools(ScriptedProvider(Script()), settings).of_kind(RECOGNIZER).options
    assert options.check_bypass_seconds == 0.5
    assert options.max_age_seconds == 600
    assert options.max_idle_seconds == 60


def test_each_client_is_checked_unless_a_deployment_says_otherwise() -> None:
    options = Pools(ScriptedProvider(Script()), SpeechPoolSettings()).of_kind(RECOGNIZER).options
    assert options.check_bypass_seconds == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"pool_check_bypass_seconds": -1},
        {"pool_check_bypass_seconds": 16},
        {"pool_max_age_seconds": 0},
        {"pool_max_idle_seconds": 1e9},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SpeechPoolSettings(**wrong)

"""The warm sets of the pod's pools follow their settings while it runs."""

from __future__ import annotations

import pytest

from meshkit.live import SettingRefused
from speech_pool.pools import RECOGNIZER, SYNTHESIZER, Pools
from speech_pool.settings import SpeechPoolSettings
from tests.support.scripted_engine import Script, ScriptedProvider


def pool_settings() -> SpeechPoolSettings:
    return SpeechPoolSettings(recognizer_warm=2, recognizer_max=8, synthesizer_warm=1)


def warm_targets(pools: Pools) -> list[int]:
    return [pools.of_kind(kind).stats().warm_target for kind in (RECOGNIZER, SYNTHESIZER)]


async def test_a_warm_target_moves_without_a_restart() -> None:
    settings = pool_settings()
    async with Pools(ScriptedProvider(Script()), settings) as pools:
        settings.live.change("recognizer_warm", 5, 2)
        assert warm_targets(pools) == [5, 1]
        settings.live.change("synthesizer_warm", 3, 1)
        assert warm_targets(pools) == [5, 3]


async def test_a_target_beyond_the_pool_is_refused_and_the_old_stays() -> None:
    settings = pool_settings()
    async with Pools(ScriptedProvider(Script()), settings) as pools:
        with pytest.raises(SettingRefused, match="9"):
            settings.live.change("recognizer_warm", 9, 2)
        assert warm_targets(pools)[0] == 2
        assert settings.now("recognizer_warm") == 2


async def test_closed_pools_listen_no_more() -> None:
    settings = pool_settings()
    async with Pools(ScriptedProvider(Script()), settings):
        pass
    settings.live.change("recognizer_warm", 9, 2)
    assert settings.now("recognizer_warm") == 9

"""Which pod to ask: of two chosen at random, the freer one. Pure."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PodState:
    """What is known of a pod. The unit of `used` and `max` is the service's own."""

    used: int = 0
    max: int = 0
    """0: no bound known."""
    draining: bool = False
    suspect_until: float = 0.0
    """Monotonic seconds; before this it is asked only if there is no other."""

    @property
    def fullness(self) -> float:
        """Share in use; with no bound known, the number in use decides, far below any bound."""
        return self.used / self.max if self.max else self.used / 1_000_000


def pick(
    pods: Mapping[str, PodState],
    now: float,
    *,
    exclude: Collection[str] = (),
    choose: random.Random,
) -> str | None:
    """The address to ask, or None if there is none but those excluded.

    Pods that drain or are suspect come last, so that a lone pod is still tried.
    """
    if len(pods) == 1:  # whatever its state; most fleets of a small deployment are so
        return next((address for address in pods if address not in exclude), None)
    candidates = [address for address in pods if address not in exclude]
    fit = [a for a in candidates if not pods[a].draining and pods[a].suspect_until <= now]
    if chosen := _freer(pods, fit, choose):
        return chosen
    undrained = [a for a in candidates if not pods[a].draining]
    return _freer(pods, undrained, choose) or _freer(pods, candidates, choose)


def _freer(pods: Mapping[str, PodState], addresses: list[str], choose: random.Random) -> str | None:
    if len(addresses) < 2:
        return addresses[0] if addresses else None
    return min(choose.sample(addresses, 2), key=lambda address: pods[address].fullness)

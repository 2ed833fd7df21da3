"""Allocation tiers of the pool and of the wire."""

from __future__ import annotations

from voicemesh.speech.v1 import speech_pool_pb2 as pb
from warmpool import AllocationTier

TIERS = {
    pb.ALLOCATION_TIER_DEDICATED: AllocationTier.DEDICATED,
    pb.ALLOCATION_TIER_WARM: AllocationTier.WARM,
    pb.ALLOCATION_TIER_COLD: AllocationTier.COLD,
}
TIER_NUMBERS = {tier: number for number, tier in TIERS.items()}

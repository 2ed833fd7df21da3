"""What a call used and what that costs, counted where it is used and told at the call's end.

The recogniser is paid by the second of audio sent, the synthesiser by the character sent, the model by
the tokens that the orchestrator tells with each turn, the line by the minute. A call that another pod
takes over is told in legs, each by the pod that had it. Budgets alarm and end no call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.media import SAMPLE_RATE
from gateway.parts import CallParts
from gateway.settings import GatewaySettings
from meshkit import metrics
from meshkit.budget import Alarm, Budget, TenantSpending
from meshkit.documents import DocumentError
from meshkit.logging import get_logger
from meshkit.prices import Cost, PriceTable, cost_of, read_prices
from meshkit.startup import StartupError
from meshkit.usage import CallUsage, Thing, Unit

logger = get_logger("gateway.costs")

SHOWN = Decimal("0.000001")
"""Money in records is rounded to this; sums are not."""


@dataclass(frozen=True, slots=True)
class Billing:
    """Whose prices hold for what the gateway uses."""

    speech: str
    """A provider of the price table, such as `azure-speech`."""
    line: tuple[str, str]
    """Provider and model of the telephony, such as `acs` and `pstn-in`."""


@dataclass(slots=True)
class Accounts:
    """The money of this pod's calls."""

    prices: PriceTable
    billing: Billing
    call_budget: Decimal
    tenants: TenantSpending
    _no_price: set[Thing] = field(default_factory=set)

    def open(self) -> CallAccount:
        """The account of a new call."""
        return CallAccount(self, Budget("call", self.call_budget))

    def told(self, alarms: list[Alarm]) -> None:
        """Log alarms and count them."""
        for alarm in alarms:
            threshold = str(alarm.threshold)
            metrics.add("voicemesh_budget_alarms_total", scope=alarm.scope, threshold=threshold)
            logger.warning(
                "budget alarm",
                extra={
                    "scope": alarm.scope,
                    "threshold": threshold,
                    "budget": str(alarm.budget),
                    "spent": str(alarm.spent.quantize(SHOWN)),
                    "currency": self.prices.currency,
                },
            )

    def missing(self, things: tuple[Thing, ...]) -> None:
        """Warn once of each thing that has no price."""
        for thing in things:
            unlabelled = Thing(thing.provider, thing.model, thing.unit)
            if unlabelled not in self._no_price:
                self._no_price.add(unlabelled)
                logger.warning("no price", extra={"thing": name_of(thing)})


@dataclass(slots=True)
class CallAccount:
    """The money of one call's leg."""

    accounts: Accounts
    budget: Budget

    def watch(self, parts: CallParts, seconds: float, day: date) -> None:
        """Look at what the call cost so far, and alarm."""
        cost = cost_of(self._usage(parts, seconds).sums(), self.accounts.prices, day)
        self.accounts.told(self.budget.passed(cost.total))

    def settle(
        self, parts: CallParts, seconds: float, day: date, *, tenant: str, scenario: str
    ) -> dict[str, Any]:
        """The call is over: tell everybody. The data of the event `call_cost`."""
        usage = self._usage(parts, seconds)
        cost = cost_of(usage.sums(), self.accounts.prices, day)
        self.accounts.told(self.budget.passed(cost.total))
        self.accounts.told(list(self.accounts.tenants.spend(tenant, cost.total, day)))
        self.accounts.missing(cost.unpriced)
        record = as_record(usage, cost)
        logger.info("call cost", extra={"tenant": tenant, "scenario": scenario, **record})
        count(cost, tenant)
        return record

    def _usage(self, parts: CallParts, seconds: float) -> CallUsage:
        return usage_of(parts, seconds, self.accounts.billing)


def usage_of(parts: CallParts, seconds: float, billing: Billing) -> CallUsage:
    """What a call of this many seconds used so far."""
    usage = CallUsage()
    for tier, samples in parts.hearing.sent_samples.items():
        heard = Thing(billing.speech, "", Unit.SPEECH_SECOND, tier=tier)
        usage.add(heard, Decimal(samples) / SAMPLE_RATE)
    for (segment, tier), characters in parts.speaking.sent_characters.items():
        found = parts.turns.of_segment(segment)
        agent = found[0].agent if found else ""
        usage.add(Thing(billing.speech, "", Unit.SYNTHESIS_CHARACTER, agent, tier), characters)
    for turn in parts.turns.all():
        # A turn whose end was never told may have asked the model all the same.
        usage.unmeasured += turn.outcome.unmeasured_answers if turn.outcome else 1
        for used in turn.outcome.model_usage if turn.outcome else ():
            usage.add_tokens(
                used.provider,
                used.model,
                turn.agent,
                read=used.input_tokens,
                cached=used.cached_input_tokens,
                written=used.output_tokens,
            )
    usage.add(Thing(*billing.line, Unit.TELEPHONY_MINUTE), Decimal(round(seconds * 1000)) / 60_000)
    return usage


def count(cost: Cost, tenant: str) -> None:
    """Add a cost to the metrics, whose numbers are floats."""
    for thing, money in cost.parts.items():
        part, amount = thing.unit.value, float(money)
        agent, tier = thing.agent or "none", thing.tier or "none"
        metrics.add("voicemesh_agent_cost_total", amount, agent=agent, part=part)
        metrics.add("voicemesh_tier_cost_total", amount, tier=tier, part=part)
    metrics.add("voicemesh_tenant_cost_total", float(cost.total), tenant=tenant or "default")
    if cost.unpriced:
        metrics.add("voicemesh_unpriced_calls_total")


def as_record(usage: CallUsage, cost: Cost) -> dict[str, Any]:
    """A cost as logs and events have it; money as text, so that it stays what it is."""
    return {
        "currency": cost.currency,
        "total": _shown(cost.total),
        "by_unit": {unit.value: _shown(money) for unit, money in cost.by_unit().items()},
        "by_agent": {name: _shown(money) for name, money in cost.by_agent().items() if name},
        "by_tier": {tier: _shown(money) for tier, money in cost.by_tier().items() if tier},
        "used": {unit.value: _shown(usage.total(unit)) for unit in Unit if usage.total(unit)},
        "unpriced": sorted({name_of(thing) for thing in cost.unpriced}),
        "unmeasured_answers": usage.unmeasured,
    }


def name_of(thing: Thing) -> str:
    """`azure-openai gpt-4o input_token`."""
    return " ".join(part for part in (thing.provider, thing.model, thing.unit.value) if part)


def open_accounts(settings: GatewaySettings) -> Accounts:
    """Accounts as the settings say. Raises StartupError for a price table that is not right."""
    try:
        prices = read_prices(Path(settings.prices_file) if settings.prices_file else None)
    except DocumentError as error:
        raise StartupError(f"setting VOICEMESH_PRICES_FILE: {error}") from None
    azure = settings.profile == "azure"
    provider, _, line = settings.line_billing.partition("/")
    return Accounts(
        prices=prices,
        billing=Billing(
            speech=settings.speech_billing or ("azure-speech" if azure else "local"),
            line=(provider, line) if provider else ("acs", "pstn-in") if azure else ("local", ""),
        ),
        call_budget=settings.call_budget,
        tenants=TenantSpending(settings.tenant_day_budget),
    )


def _shown(amount: Decimal) -> str:
    return f"{amount.quantize(SHOWN):f}"

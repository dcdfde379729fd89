"""What a scenario pays, and what its savings are measured against."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ...models.hardware.server import servers
from ...policies.placement.placement import Placement
from ..errors.suggest import unknown_name
from ..language.choices import policy_slot
from ..language.fields import MoneyField, OneOf, Part, problem, problems
from ..language.units import Money
from ..language.value_types import Factor, FilePath, Period


class CostPart(Part):
    """Prices; the defaults are placeholders for your own.

    If it is absent, energy costs 0.21 EUR/kWh and a host 7,000 EUR over four years: figures to be
    replaced before money is read from a result, and the report lists them among its assumptions.
    All amounts of a scenario have one currency. An example: `{energy_price: 0.18 EUR/kWh, pue: 1.3,
    server_price: 9500 EUR}`.
    """

    currency: Annotated[str, Field(strict=True, pattern=r"^[A-Z]{3}$")] = Field(
        "EUR",
        description="Currency of all amounts, three capital letters; default: the currency of the "
        "amounts given, else EUR.",
    )
    energy_price: Annotated[Money, MoneyField(per_kwh=True)] = Field(
        Money(0.21, "EUR", per_kwh=True), description="Energy tariff."
    )
    pue: Annotated[Factor, Field(ge=1, le=10)] = Field(
        1.56,
        description="Power of the site over power of the servers (Uptime Institute, mean of 2024).",
    )
    server_price: Annotated[Money, MoneyField()] = Field(
        Money(7000.0, "EUR"), description="Price of a host whose group has no price."
    )
    server_lifetime: Period = Field(
        126_144_000.0, description="Time over which the price of a host is depreciated evenly."
    )
    hosts_paid: Literal["needed", "owned"] = Field(
        "needed",
        description="Whether capital cost is counted for the peak number of hosts on, or for all "
        "hosts.",
    )
    licence_region: Literal["americas", "apj", "emea"] | None = Field(
        None,
        description="Region of the licence contracts; some vendors' minimum orders apply in some "
        "regions only. If omitted, the minimum order counts, with a warning where it "
        "raises the licence cost.",
    )
    investment: Annotated[Money | None, MoneyField()] = Field(
        None, description="One-time cost of the consolidation; gives its payback time."
    )
    investment_for: Literal["project", "hosts"] | None = Field(
        None,
        description="What the investment pays for. `project`: work in addition to the hosts, "
        "whose price counts as capital. `hosts`: the hosts themselves, whose price "
        "then does not count again. If omitted: `project`, with a warning where hosts "
        "have a price.",
    )

    @model_validator(mode="after")
    def _something_is_invested(self) -> Self:
        """Refuse the purpose of an investment that there is none of."""
        if self.investment_for is not None and self.investment is None:
            message = "there is no investment; set cost.investment, or remove this"
            raise problems([(("investment_for",), message)])
        return self

    def in_currency(self, currency: str) -> "CostPart":
        """Return the prices with those that were not given in a currency of the user's.

        Only energy and server price are renamed, at the same number: they are placeholders and are
        not converted. What counts as written stays as it was; the part itself is returned if
        nothing changes.
        """
        given = self.model_fields_set
        if currency == self.currency and self.energy_price.currency == currency:
            return self
        held = {name: getattr(self, name) for name in type(self).model_fields}
        held["currency"] = currency
        for name in ("energy_price", "server_price"):
            if name not in given:
                held[name] = replace(held[name], currency=currency)
        return CostPart.model_construct(_fields_set=set(given), **held)


class Dedicated(Part):
    """Each workload on a server of its own, without a hypervisor, always on.

    It answers what consolidation saves against one physical server per workload; it is what a
    scenario is compared with if it says nothing. Energy is counted, capital only if a `price` is
    given. An example: `{type: dedicated, server: hp_ml110_g5, price: 2000 EUR}`.
    """

    type: Literal["dedicated"]
    server: str | None = Field(
        None,
        description="Server model; default: that of the first group whose hosts can hold every VM.",
    )
    price: Annotated[Money | None, MoneyField()] = Field(
        None,
        description="Price per server, if such servers would be bought or replaced. If omitted, "
        "only their energy counts, since the price of servers that nobody owns or "
        "would buy is not a saving.",
    )

    @field_validator("server")
    @classmethod
    def _known(cls, server: str | None) -> str | None:
        """Refuse a server that the catalogue does not have."""
        if server is not None and server not in servers():
            raise problem(unknown_name("server", server, servers()))
        return server


class Unconsolidated(Part):
    """The same farm without consolidation: nothing moved, and no host switched off.

    With `hosts_paid: needed` it counts the hosts that ever hold a VM, or those of the run if these
    are more.

    It answers what migrations and switched-off hosts save on a farm that is virtualised already. An
    example with another first placement: `{type: unconsolidated, placement: round_robin}`.
    """

    type: Literal["unconsolidated"]
    placement: Annotated[Placement | None, policy_slot("placement")] = Field(
        None, description="Initial placement; default: that of the scenario."
    )


class OtherScenario(Part):
    """Another scenario file with the same VMs and currency.

    It is run for as long as this one, with the same seed.

    Use it to compare with another farm or other policies. VMs must have the same sizes; names may
    differ. An example: `{type: scenario, path: old-farm.yaml}`.
    """

    type: Literal["scenario"]
    path: FilePath = Field(description="The file, relative to this one.")


class NoBaseline(Part):
    """Nothing to compare with.

    Savings and payback are then left out of the result, and no second run is made. It cannot be
    written beside other baselines.
    """

    type: Literal["none"]


Baseline = Annotated[Dedicated | Unconsolidated | OtherScenario | NoBaseline, OneOf("type")]


def _as_list(written: Any) -> Any:
    """Let a single baseline stand for a list of one.

    Anything that is neither a mapping nor a part, a list included, is left to pydantic to judge.
    """
    return (written,) if isinstance(written, Mapping | Part) else written


Baselines = Annotated[
    tuple[Baseline, ...],
    BeforeValidator(_as_list, json_schema_input_type=Baseline | tuple[Baseline, ...]),
]

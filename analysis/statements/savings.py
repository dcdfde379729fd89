"""Savings of a run relative to its baselines, reported only if both did the same work.

A baseline is a run of the same load on a farm without consolidation: hosts always on, physical
servers, or what the scenario names. A saving is baseline minus run, so that it is positive where
the run takes less. A run without a baseline claims nothing.
"""

from collections.abc import Mapping
from typing import Any

from ...models.base.cost import YEAR_S, payback_years
from ...models.base.lazy_dataclass import dataclass
from ..base.metric_titles import UNLICENSED
from ..base.wording import amount, basis, change
from ..measure.work_not_done import not_comparable

COMPARED = (
    "hosts_on_peak",
    "hosts_on_mean",
    "energy_kwh",
    "mean_power_w",
    "energy_cost",
    "capital_cost",
    "licence_cost",
    "total_cost",
    "cost_per_year",
    "work_served_ghz_h",
    "unserved_share",
    "slatah",
    "utilisation_mean",
)
"""Metrics shown side by side with the baseline."""

HOURS_PER_YEAR = YEAR_S / 3600.0

Saved = dict[str, tuple[float | None, str]]


@dataclass(frozen=True)
class BaselineSavings:
    """A completed baseline run: its label, title and metrics, and whether savings are reported.

    ``not_comparable`` is why no saving is claimed, empty where one is.

    ``values`` are the baseline's metrics by name; ``here``, in the methods, those of the run.
    """

    label: str
    title: str
    values: Mapping[str, float]
    not_comparable: str

    @classmethod
    def of(
        cls, label: str, title: str, here: Mapping[str, float], there: Mapping[str, float]
    ) -> "BaselineSavings":
        """Compare a run with a baseline.

        Done once, when the run has ended; what is comparable is decided by
        :func:`~farmsim.analysis.measure.work_not_done.not_comparable`.
        """
        return cls(label, title, there, not_comparable(here, there))

    def saved(self, here: Mapping[str, float], currency: str, investment: float | None) -> Saved:
        """Return savings with units by metric; no values if no saving is reported.

        In kWh, percent, hosts and the scenario's currency; a saving is positive. ``payback_years``
        is there only with an investment, None where nothing is saved.

        Percentages are of the baseline's figure, None where that is 0. ``saved_hosts`` compares the
        peaks of hosts on. ``payback_years`` is the investment over what is saved a year, without
        interest.
        """
        there = self.values
        yearly = there["cost_per_year"] - here["cost_per_year"]
        energy = there["energy_kwh"] - here["energy_kwh"]
        made: Saved = {
            "saved_energy_kwh": (energy, "kWh"),
            "saved_energy_percent": (_percent(energy, there["energy_kwh"]), "%"),
            "saved_hosts": (there["hosts_on_peak"] - here["hosts_on_peak"], "hosts"),
            "saved_cost_per_year": (yearly, f"{currency}/year"),
            "saved_cost_percent": (_percent(yearly, there["cost_per_year"]), "%"),
        }
        if investment is not None:
            made["payback_years"] = (payback_years(investment, yearly), "years")
        if self.not_comparable:
            return {name: (None, unit) for name, (_, unit) in made.items()}
        return made

    def sentence(self, here: Mapping[str, float], currency: str) -> str:
        """Say what is saved against this baseline, or why nothing is claimed.

        Differences below 0.05 % are called none. Costs are a year's, and the sentence says so where
        they were extrapolated from less than a week.
        """
        if self.not_comparable:
            return f"No saving is claimed against {self.title}: {self.not_comparable}."
        energy, money = _energy(here, self.values), _money(here, self.values, currency)
        if not energy and not money:
            return f"Against {self.title}: no difference in energy or cost."
        energy = energy or "no difference in energy"
        return f"Against {self.title}: {energy}{money or ', no difference in cost'}."

    def entry(
        self, here: Mapping[str, float], currency: str, investment: float | None
    ) -> dict[str, Any]:
        """Return what the summary holds of it.

        Label and title of the baseline, the sentence, why no saving is claimed, and each saving
        with its unit.
        """
        saved = self.saved(here, currency, investment)
        return {
            "label": self.label,
            "title": self.title,
            "sentence": self.sentence(here, currency),
            "not_claimed": self.not_comparable,
            "saved": {
                name: {"value": value, "unit": unit} for name, (value, unit) in saved.items()
            },
        }


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _energy(here: Mapping[str, float], there: Mapping[str, float]) -> str:
    """Return the difference in energy; empty if there is none."""
    text = change(here["energy_kwh"], there["energy_kwh"])
    if text == "":
        return ""
    both = f"{amount(here['energy_kwh'])} instead of {amount(there['energy_kwh'])} kWh"
    return f"{text} energy ({both})" if text else f"{both} of energy"


def _money(here: Mapping[str, float], there: Mapping[str, float], currency: str) -> str:
    """Return the difference in cost per year; empty if there is none.

    Servers of a baseline that count with their energy only are compared by energy cost first;
    what the hosts of this run cost beside it is named apart.

    ``capital_cost`` and ``energy_cost`` are of the run's length; they are scaled to a year of 365
    days.
    """
    lacking = UNLICENSED in here or UNLICENSED in there
    without = ", excluding licences of unknown price" if lacking else ""
    total = _saved(here["cost_per_year"], there["cost_per_year"], currency)
    own = _own_hosts(here, there) * HOURS_PER_YEAR / here["duration_h"]
    mine, other = (
        each["energy_cost"] * HOURS_PER_YEAR / each["duration_h"] for each in (here, there)
    )
    energy = _saved(mine, other, currency)
    if not total and not (own and energy):
        return f", no difference in cost{without}" if without else ""
    if own and energy:
        with_hosts = f"including {own:,.0f} {currency} a year for the hosts of this run"
        total = f"{energy} on energy; {with_hosts}, {total or 'no difference in cost'}"
    elif own:
        total = f"{total} for the hosts of this run"
    since = basis(here["duration_h"])
    return (f", {total} ({since})" if since else f", {total}") + without


def _own_hosts(here: Mapping[str, float], there: Mapping[str, float]) -> float:
    """Return the cost of this run's hosts, including licences, if the baseline's hosts are free.

    0 where both sides are charged alike.
    """
    if there["capital_cost"] or there["licence_cost"]:
        return 0.0
    return here["capital_cost"] + here["licence_cost"]


def _saved(mine: float, other: float, currency: str) -> str:
    """Return the saving or additional cost per year; empty if there is no difference."""
    size = f"{abs(other - mine):,.0f} {currency} a year"
    if change(mine, other) == "" or size.startswith("0 "):
        return ""
    return f"saving {size}" if mine < other else f"costing {size} more"

"""The verdict in one sentence, savings against the baseline, warnings and assertions."""

from dataclasses import dataclass

from ..models.cost import payback_years
from ..scenarios.build import Case
from ..scenarios.conditions import holds, read_condition
from .load_notes import short_recordings
from .work import main_cause

COMPARED = (
    "hosts_on_peak",
    "hosts_on_mean",
    "energy_kwh",
    "mean_power_w",
    "energy_cost",
    "capital_cost",
    "total_cost",
    "cost_per_year",
    "unserved_share",
    "slatah",
    "utilisation_mean",
)
"""Metrics shown side by side with the baseline."""


@dataclass(frozen=True)
class Saving:
    """One metric here and in the baseline, and what is saved of it."""

    name: str
    baseline: float
    here: float

    @property
    def saved(self) -> float:
        """Baseline minus here."""
        return self.baseline - self.here

    @property
    def percent(self) -> float | None:
        """Saved in percent of the baseline; None where the baseline is 0."""
        return 100 * self.saved / self.baseline if self.baseline else None


def savings(here: dict[str, float], baseline: dict[str, float]) -> list[Saving]:
    """Return the compared metrics side by side."""
    return [Saving(name, baseline[name], here[name]) for name in COMPARED]


def saving_metrics(
    case: Case, here: dict[str, float], baseline: dict[str, float]
) -> dict[str, tuple[float | None, str]]:
    """Return value and unit of what is saved, by metric name."""
    currency = case.scenario.cost.currency
    yearly = baseline["cost_per_year"] - here["cost_per_year"]
    energy = baseline["energy_kwh"] - here["energy_kwh"]
    made: dict[str, tuple[float | None, str]] = {
        "saved_energy_kwh": (energy, "kWh"),
        "saved_energy_percent": (_percent(energy, baseline["energy_kwh"]), "%"),
        "saved_hosts": (baseline["hosts_on_peak"] - here["hosts_on_peak"], "hosts"),
        "saved_cost_per_year": (yearly, f"{currency}/year"),
        "saved_cost_percent": (_percent(yearly, baseline["cost_per_year"]), "%"),
    }
    investment = case.scenario.cost.investment
    if investment is not None:
        made["payback_years"] = (payback_years(investment.amount, yearly), "years")
    return made


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def verdict(
    case: Case, here: dict[str, float], baseline: dict[str, float] | None, title: str | None
) -> str:
    """Say in one sentence what the run comes to."""
    served = here["unserved_share"] * 100
    risk = f"{served:.2g} % of the CPU asked for was not served" if served else "all CPU was served"
    needs = (
        f"{here['vms']:,.0f} VMs over {_span(here['duration_h'])} need at most "
        f"{here['hosts_on_peak']:,.0f} hosts ({here['hosts_on_mean']:,.1f} on average) and "
        f"{_amount(here['energy_kwh'])} kWh"
    )
    if baseline is None:
        return f"{needs}; {risk}."
    saved = saving_metrics(case, here, baseline)
    percent, cost = saved["saved_energy_percent"][0], saved["saved_cost_per_year"][0] or 0.0
    energy = (
        "" if percent is None else f", {abs(percent):.0f} % {'less' if percent >= 0 else 'more'}"
    )
    money = (
        f"{'saving' if cost >= 0 else 'costing'} {_amount(abs(cost))} "
        f"{case.scenario.cost.currency} a year{'' if cost >= 0 else ' more'}"
    )
    versus = f"instead of {_amount(baseline['energy_kwh'])} kWh on {title}"
    return f"{needs}, {versus}{energy}, {money}; {risk}."


def _span(hours: float) -> str:
    return f"{hours:g} h" if hours < 72 else f"{hours / 24:g} days"


def _amount(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def warnings(case: Case, here: dict[str, float]) -> list[str]:
    """Return what a reader has to know before relying on the figures."""
    found = []
    part, quality = case.scenario.workload, case.load.quality
    if here["vms_rejected"]:
        found.append(f"{here['vms_rejected']:,.0f} VMs found no host and were left out.")
    if quality is not None and quality.filled:
        share = 100 * (1 - quality.coverage)
        found.append(
            f"{quality.filled:,} samples ({share:.2g} %) were missing and filled: {quality.rule}."
        )
    if quality is not None and quality.cut:
        found.append(f"{quality.cut:,} samples above 100 % were cut.")
    found += short_recordings(case)
    if "sizes" not in part.model_fields_set and case.load.vms.size_names == ["standard"]:
        found.append("Sizes of VMs are not given; all have 2 vCPUs of 2.5 GHz and 4 GiB.")
    cost = case.scenario.cost
    assumed = [
        name for name in ("energy_price", "server_price") if name not in cost.model_fields_set
    ]
    if assumed:
        found.append(f"Prices are placeholders, not yours: cost.{', cost.'.join(assumed)}.")
    found += [
        f"The list price of {model.hypervisor}'s licence is in {licence.foreign} and counts as 0; "
        f"give farm.hosts.{model.name}.licence in {cost.currency}."
        for model, licence in zip(case.host_models, case.licences, strict=True)
        if licence.foreign
    ]
    if here["unserved_share"] > 0.01:
        share = 100 * here["unserved_share"]
        why, of_all = main_cause(here)
        most = "" if of_all == here["unserved_share"] else f"{100 * of_all:.1f} % "
        found.append(f"{share:.1f} % of the CPU asked for was not served: {most}because {why}.")
    return found


def failed_assertions(case: Case, summary: dict[str, float | None]) -> list[str]:
    """Return the assertions of the scenario that the metrics do not satisfy.

    Their form was checked when the scenario was read.
    """
    failures = []
    for name, condition in case.scenario.assertions.items():
        operator, limit = read_condition(condition)
        value = summary.get(name)
        if value is None or not holds(value, operator, limit):
            shown = "has no value" if value is None else f"is {value:g}"
            failures.append(f"{name} {shown}, not {condition.strip()}")
    return failures

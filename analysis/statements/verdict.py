"""The verdict on a run: work not done, hosts used, savings, and assertions not met."""

from collections.abc import Mapping, Sequence

from ...scenarios.language.conditions import holds, read_condition
from ...scenarios.spec.scenario_data import ScenarioData
from ..base.wording import amount, count, span
from ..measure.work_not_done import sentence, unserved
from .savings import BaselineSavings


def verdict(values: Mapping[str, float], against: Sequence[BaselineSavings], currency: str) -> str:
    """Say in a few sentences what the run comes to; work that was not done comes first.

    ``values`` are the run's metrics, ``against`` its baselines in the order of the scenario, empty
    where it has none. Sentences are: work not done, what ran, that all was served, the start, then
    one for each baseline.
    """
    said = [sentence(values), ran(values), _served(values), _start_up(values)]
    said += [each.sentence(values, currency) for each in against]
    return " ".join(each for each in said if each)


def ran(values: Mapping[str, float]) -> str:
    """Say how many VMs ran on how many hosts, for how long, and with what energy.

    Where no VM ran the hosts stood idle; where none was on for any time only the energy is told.
    """
    energy = f"{amount(values['energy_kwh'])} kWh"
    if not values["vms_ran"]:
        nothing = "The scenario requests no VM" if not values["vms"] else "No VM ran"
        hosts = count(values["hosts_on_peak"], "host")
        return f"{nothing}: {hosts} stood idle for {span(values['duration_h'])} and used {energy}."
    if not values["hosts_on_mean"]:
        return (
            f"{count(values['vms_ran'], 'VM')} had a host, but no host was on during "
            f"{span(values['duration_h'])}; {energy} were used."
        )
    return (
        f"{count(values['vms_ran'], 'VM')} ran on {hosts_on(values)} for "
        f"{span(values['duration_h'])} and used {energy}."
    )


def hosts_on(values: Mapping[str, float]) -> str:
    """Return the peak and mean number of hosts on.

    One number where peak and mean read the same. The peak may be that after start-up while the mean
    is of the whole run; where the mean is then above the peak, only the peak is told.
    """
    peak, mean = values["hosts_on_peak"], values["hosts_on_mean"]
    if amount(peak) == amount(mean):
        return count(peak, "host")
    if mean > peak:  # start-up weighs more than the rest of a short run
        return f"up to {count(peak, 'host')}"
    return f"up to {count(peak, 'host')} ({amount(mean)} on average)"


def _served(values: Mapping[str, float]) -> str:
    """Say that all work was served, if so."""
    if not values["vms_ran"] or sentence(values) or unserved(values):
        return ""
    return (
        "All requested CPU was served." if values["work_served_ghz_h"] else "They requested no CPU."
    )


def _start_up(values: Mapping[str, float]) -> str:
    """Say how many hosts start-up used, if more than the rest of the run."""
    peak = values.get("startup_hosts_on_peak") or 0.0
    if not values.get("startup_end_s") or peak <= values["hosts_on_peak"]:
        return ""
    return f"Start-up: {count(peak, 'host')} in the first {span(values['startup_end_s'] / 3600)}."


def failed_assertions(scenario: ScenarioData, values: dict[str, float | None]) -> list[str]:
    """Return the assertions of the scenario that the metrics do not satisfy.

    Their form was checked when the scenario was read.

    Empty where all hold, and where the scenario has none. A metric without a value, such as a
    saving that is not claimed, or a response time where no request was served, fails its assertion.
    """
    failures = []
    for name, condition in scenario.assertions.items():
        operator, limit = read_condition(condition)
        value = values.get(name)
        if value is None or not holds(value, operator, limit):
            shown = "has no value" if value is None else f"is {value:g}"
            failures.append(f"{name} {shown}, not {condition.strip()}")
    return failures

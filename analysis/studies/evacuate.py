"""Run a scenario in which hosts are evacuated for maintenance."""

from ...policies.control.evacuation import LONGEST_S, Evacuation
from ...scenarios.errors.problems import refuse
from ...scenarios.resolve.farm import host_names
from ...scenarios.resolve.racks import rack_names
from ...scenarios.scenario import Scenario
from ..report.evacuation import EvacuationResult, clock, read, some
from ..run.execute import Progress, execute
from ..run.result import Result

YEAR_S = 365.25 * 86_400.0


def evacuate(
    scenario: Scenario, policy: Evacuation, progress: Progress | None = None
) -> EvacuationResult[Result]:
    """Run a scenario in which hosts are emptied.

    Raises InputError if no host has such a name, the evacuation begins before the run or after its
    end, or its time for work is negative or beyond ten years.

    The policy takes the place of the scenario's control policy, so that nothing else is moved
    meanwhile. Baselines are run as in any run. Hosts that could not be emptied are no error: the
    outcome names them and says why.
    """
    names = host_names(scenario.farm)
    of_racks = zip(names, rack_names(scenario), strict=True)
    if not any(policy.names(name, rack) for name, rack in of_racks):
        message = f"no host matches {policy.hosts!r}; the hosts are {some(names)}"
        raise refuse(scenario.name, message, "--hosts")
    for option, value_s in (
        ("--at", policy.at_s),
        ("--maintenance-time", policy.maintenance_time_s),
    ):
        if not 0 <= value_s <= LONGEST_S:
            message = f"is {value_s:g} s; set a time from 0 s to {LONGEST_S / YEAR_S:g} years"
            raise refuse(scenario.name, message, option)
    if policy.hosts_per_wave < 0:
        message = f"is {policy.hosts_per_wave}; set a number of hosts, or 0 for all at once"
        raise refuse(scenario.name, message, "--hosts-per-wave")
    if policy.at_s >= scenario.run.duration:
        message = (
            f"begins at {clock(policy.at_s)}, the run ends at {clock(scenario.run.duration)}; "
            "start earlier or lengthen run.duration"
        )
        raise refuse(scenario.name, message, "--at")
    policies = scenario.policies.model_copy(update={"control": policy})
    changed = scenario.model_copy(
        update={"policies": policies, "name": f"{scenario.name}-evacuated"}
    )
    return read(execute(changed, progress), policy)

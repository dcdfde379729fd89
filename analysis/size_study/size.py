"""How many hosts of a server a farm needs: floors, placement, every failure, one simulation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ...models.sizing.break_even import break_even, hosts_for_cpu
from ...models.sizing.failure_cases import failure_table
from ...models.sizing.floors import oversized
from ...models.sizing.least_hosts import LeastHosts, least_hosts
from ...models.sizing.planned_farm import (
    CPU,
    MEMORY,
    RESOURCES,
    VCPUS,
    PlannedFarm,
    PlannedHosts,
    equal_hosts,
)
from ...scenarios.errors.problems import InputError, refuse
from ...scenarios.inventory.inventory import Scope
from ...scenarios.inventory.scope import counted_words
from ...scenarios.scenario import Scenario
from ...scenarios.spec.planning import WHOLE
from ..base.wording import count, percent
from ..planning.back_test import back_test
from ..planning.failure_tables import ClusterFailures
from ..planning.planned_farm import Plan, PlannedCluster, plan_of
from ..run.execute import execute
from .cpu_band import cpu_band
from .packing_program import solver
from .size_verdict import verdict
from .sized import ASSUMED, CpuBand, Simulated, Sized
from .sized_scenario import sized_scenario, write_sized
from .target_server import ASSUMED_HOSTS, TargetServer, performance_of_target, target_server

ENOUGH = 2000
"""Hosts on which rules are checked, at most: a host for each VM keeps all of them apart."""
SHOWN = 5
"""Names that a note lists."""


def size(
    scenario: Scenario,
    server: str | None = None,
    memory_mib: float | None = None,
    reserve: int | None = None,
    time_limit_s: float = 20.0,
    save: Path | None = None,
) -> Sized:
    """Return how many hosts of a server carry the VMs of a scenario, if ``reserve`` may fail.

    ``server`` is a server of the catalogue (or what finds it), ``memory_mib`` its memory; by
    default that of the present hosts, of which most are. ``time_limit_s`` is the real time that
    the integer program may take for each question where the first-fit family misses the bound. The
    answer is simulated once. Where ``save`` names a directory, the scenario of the answer is
    written there. Raises InputError if the scenario cannot be planned.
    """
    present, case = plan_of(scenario)
    left_out_vms = case.load.table.left_out if case.load.table is not None else {}
    kept = _reserve(present) if reserve is None else reserve
    target = target_server(scenario, server, memory_mib)
    if target.present:
        target = replace(target, calibration=case.calibration)
    vms = sum(len(each.farm.vms) for each in present.clusters)
    if not vms:
        raise refuse(scenario.name, "has no VM to size a farm for; add VMs", "workload")
    many, left_out = sized_scenario(scenario, target, min(vms, ENOUGH), kept)
    plan, _ = plan_of(many)
    cpu = cpu_band(scenario)
    if cpu.snapshot_mhz is None:
        present, plan = without_cpu(present), without_cpu(plan)
    farm, limits = plan.clusters[0].farm, plan.limits
    performance = performance_of_target(scenario, target)
    chosen = performance["default"] or performance["none"] or 1.0
    hosts_of = _hosts_of(farm.hosts)
    solve = solver(time_limit_s)
    by_factor = {
        factor: least_hosts(farm, hosts_of(factor), limits, kept, solve)
        for factor in dict.fromkeys(performance.values())
        if factor is not None
    }
    least = by_factor[chosen]
    sized = Sized(
        name=scenario.name,
        server=target.name,
        server_text=target.text,
        reserve=kept,
        least=least,
        vms=len(farm.vms),
        known_hosts=sum(
            each.count
            for each in scenario.farm.hosts
            if each.in_service and not each.name.endswith(ASSUMED_HOSTS)
        ),
        cpu=cpu,
        confidence=_confidence(scenario, cpu),
        performance=performance,
        hosts_by_performance={
            mode: None if factor is None else by_factor[factor].hosts
            for mode, factor in performance.items()
        },
        hosts_by_factor=_by_factor(plan, cpu, chosen, kept),
        break_even=_break_even(plan, least, cpu, kept),
        clusters_apart=_apart(present, hosts_of(chosen), plan, kept),
        limits=_limits(plan),
        notes=_notes(
            present, plan, target, left_out, left_out_vms, case.calibration != 1.0, performance
        ),
        placement=_placement(least),
        failures=_failures(plan, least, kept),
    )
    sized = replace(sized, simulated=_simulated(scenario, target, sized, chosen, save))
    return replace(sized, verdict=verdict(sized))


def without_cpu(plan: Plan) -> Plan:
    """Return a plan in which nothing is known of the CPU demand, so that no limit tests it."""
    clusters = [
        replace(each, farm=replace(each.farm, vms=replace(each.farm.vms, cpu_mhz=None)))
        for each in plan.clusters
    ]
    return replace(plan, clusters=clusters)


def _reserve(present: Plan) -> int:
    """Return how many hosts may fail: the most that any cluster is planned for."""
    return max((each.reserve for each in present.clusters), default=1)


def _hosts_of(server: PlannedHosts) -> Callable[[float], Callable[[int], PlannedHosts]]:
    """Return what makes a number of hosts like the first, by their work per MHz.

    ``server`` has hosts with a performance of 1.
    """
    cores, cpu_mhz = int(server.cores[0]), float(server.cpu_mhz[0])
    memory_mib = float(server.memory_mib[0])

    def with_performance(factor: float) -> Callable[[int], PlannedHosts]:
        return lambda number: equal_hosts(number, cores, cpu_mhz * factor, memory_mib)

    return with_performance


def _by_factor(plan: Plan, cpu: CpuBand, performance: float, reserve: int) -> dict[float, int]:
    """Return how many hosts CPU alone asks for by the factor on the snapshot."""
    if cpu.snapshot_mhz is None:
        return {}
    host_mhz = float(plan.clusters[0].farm.hosts.cpu_mhz[0]) * performance
    factors = sorted({1.0, cpu.low, cpu.typical, cpu.high, 2.0, 4.0} if not cpu.measured else {1.0})
    return {
        factor: hosts_for_cpu(cpu.snapshot_mhz, factor, host_mhz, plan.limits, reserve)
        for factor in factors
    }


def _break_even(plan: Plan, least: LeastHosts, cpu: CpuBand, reserve: int) -> dict[str, float]:
    """Return by what factor each need may grow on the hosts of the answer.

    That of CPU counts from the snapshot, and is left out where nothing is known of CPU.
    """
    if least.farm is None:
        return {}
    needs = least.farm.vms.needs().sum(axis=0)
    factors = break_even(needs, least.farm.hosts, plan.limits, reserve)
    found = {RESOURCES[at]: float(factors[at]) for at in (MEMORY, VCPUS)}
    if cpu.snapshot_mhz:
        found[RESOURCES[CPU]] = float(factors[CPU] * needs[CPU]) / cpu.snapshot_mhz
    return found


def _apart(
    present: Plan, hosts_of: Callable[[int], PlannedHosts], plan: Plan, reserve: int
) -> dict[str, int | None]:
    """Return the number of hosts of each cluster by itself; empty for a farm of one cluster."""
    filled = [each for each in present.clusters if len(each.farm.vms)]
    if len(filled) < 2:
        return {}
    return {
        each.name: least_hosts(each.farm, hosts_of, plan.limits, reserve).hosts for each in filled
    }


def _confidence(scenario: Scenario, cpu: CpuBand) -> dict[str, str]:
    """Return how far each resource is known; sizes that a scenario assumes are no inventory."""
    sizes = "high" if scenario.workload.vms_file is not None else ASSUMED
    if sizes == "high" and scenario.planning and scenario.planning.incomplete_clusters:
        sizes = "medium"
    return {"memory": sizes, "vcpus": sizes, "cpu": cpu.confidence}


def _limits(plan: Plan) -> list[str]:
    """Return the limits that were kept, a line each, with where each comes from."""
    limits, basis = plan.limits, plan.basis
    lines = {
        "memory": f"configured memory: at most {percent(limits.memory)} of usable memory",
        "vcpus_per_core": f"vCPUs per core: at most {limits.vcpus_per_core:g} in normal operation",
        "vcpus_per_core_failure": (
            f"vCPUs per core: at most {limits.vcpus_per_core_failure:g} while hosts are down"
        ),
        "cpu": f"CPU: P95 of the sum at most {percent(limits.cpu)} with up to one host down",
        "cpu_two_failures": (
            f"CPU: P95 of the sum at most {percent(limits.cpu_two_failures)} with two hosts down"
        ),
    }
    return [f"{line} ({basis.get(name, 'default')})" for name, line in lines.items()]


def _notes(
    present: Plan,
    plan: Plan,
    target: TargetServer,
    left_out: Sequence[str],
    left_out_vms: Mapping[str, Sequence[str]],
    calibrated: bool,
    performance: Mapping[str, float | None],
) -> list[str]:
    """Return further sentences of the verdict: what is missing, assumed or left out."""
    farm: PlannedFarm = plan.clusters[0].farm
    notes = [target.note] if target.note else []
    if left_out_vms:
        out = counted_words({Scope(name): len(vms) for name, vms in left_out_vms.items()})
        notes.append(f"Left out of the plan, and not counted: {out}.")
    lacking = [each.name for each in present.clusters if each.incomplete]
    if lacking:
        whose = "" if lacking == [WHOLE] else f" of {_listed(lacking)}"
        notes.append(
            f"Hosts{whose} are missing from the inventory, so that the number of present hosts is "
            "too low or unknown; all VMs of the plan are counted."
        )
    if calibrated and not target.present:
        notes.append("The calibration of present hosts is not put on the power of new ones.")
    if performance["ssj"] is None:
        notes.append("MHz of present and new hosts count as equal work: nothing else is known.")
    if left_out:
        notes.append(f"Rules that name present hosts are left out: {_listed(left_out)}.")
    if farm.left_out:
        notes.append(f"Rules that planning does not keep: {_listed(farm.left_out)}.")
    large = oversized(farm, farm.hosts, plan.limits)
    if large:
        what = count(len(large), "VM")
        verb = "takes" if len(large) == 1 else "take"
        notes.append(
            f"{what} {verb} more than {percent(plan.limits.largest_vm)} of a host, and restart on "
            f"few hosts only: {_listed(large)}."
        )
    return notes


def _listed(names: Sequence[str]) -> str:
    """Return names as text, the first SHOWN of them."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _placement(least: LeastHosts) -> dict[str, str]:
    """Return the host of each VM by name."""
    if least.farm is None:
        return {}
    names = least.farm.hosts.names
    return {
        vm: names[host] for vm, host in zip(least.farm.vms.names, least.home.tolist(), strict=True)
    }


def _failures(plan: Plan, least: LeastHosts, reserve: int) -> ClusterFailures | None:
    """Return the failure table of the answer; None where there is no answer."""
    if least.farm is None:
        return None
    farm = replace(least.farm, name="new hosts")
    cluster = PlannedCluster(farm, plan.clusters[0].vms, reserve, False, [])
    return ClusterFailures(cluster, failure_table(farm, plan.limits), plan.limits, plan.levels)


def _simulated(
    scenario: Scenario, target: TargetServer, sized: Sized, performance: float, save: Path | None
) -> Simulated | None:
    """Simulate the answer once, written as a scenario of its own; None where there is no answer.

    ``save`` is where the scenario is kept; else it is made in a temporary directory.
    """
    if sized.hosts is None:
        return None
    new = replace(target, group=target.with_performance(performance))
    answer, _ = sized_scenario(scenario, new, sized.hosts, sized.reserve)
    homes = None
    if scenario.workload.vms_file is not None:
        homes = list(sized.placement.values())
    with TemporaryDirectory() as temporary:
        directory = save or Path(temporary)
        written = write_sized(directory, answer, homes, verdict(sized))
        try:
            result, tested = execute(written), back_test(written)
        except InputError as error:
            return Simulated(failed=error.problems[0].message)
    return Simulated(
        scenario.run.duration / 3600.0,
        result.value("unserved_share") or 0.0,
        result.value("unserved_vm_limit_share") or 0.0,
        result.value("host_utilisation_p95_max") or 0.0,
        back_test=tested.words if not tested.reason else [],
    )

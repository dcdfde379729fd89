"""Warnings about scenario fields without effect, and about VMs with more vCPUs than host cores.

A user who turns a field and sees the same result must learn that the field could not matter, or the
model is taken to be insensitive to it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...policies.control.balance import Balance
from ...policies.control.control import NoControl, migrates_vms
from ...scenarios.resolve.hypervisors import server_of
from ...scenarios.traces.formats import RecordedTrace
from ..base.played_case import PlayedCase

SHOWN = 5
"""VMs that are named in a warning."""


def without_effect(run: PlayedCase, drawn: int) -> list[str]:
    """Return a sentence for each field that is not at its default and changes nothing.

    ``drawn`` is how many random generators the scenario has used. Fields at their defaults are
    not told of, so that a scenario with every default written out tells the same.

    It judges by the scenario, not by the result: a field that could have mattered and did not (a
    boot time of hosts that happened never to be switched) is not told of.
    """
    return [f"{field} has no effect here: {why}." for field, why in _idle_fields(run, drawn)]


def _idle_fields(run: PlayedCase, drawn: int) -> Iterator[tuple[str, str]]:
    """Yield each field that changes nothing here, with the reason."""
    scenario = run.scenario
    if not drawn and _changed(scenario, "seed"):
        yield "seed", "nothing in this scenario is random"
    initial = scenario.policies.initial
    if initial.count_by == "demand" and _changed(initial, "cpu_overcommit"):
        why = "VMs count by demand; set policies.initial.count_by: size"
        yield "policies.initial.cpu_overcommit", why
    if not scenario.applications and _changed(scenario.policies, "scaling_every"):
        yield "policies.scaling_every", "there are no applications"
    yield from _size_fields(run)
    yield from _migration_fields(run)
    yield from _power_fields(run)
    yield from _lifecycle_fields(run)


def _size_fields(run: PlayedCase) -> Iterator[tuple[str, str]]:
    """Yield shares and reservations of sizes where CPU is shared by demand alone."""
    scenario, table = run.scenario, run.case.load.table
    yield from _columns_of_table(run)
    if scenario.service.sharing == "shares":
        return
    if table is not None and np.nan_to_num(table.reservation_mhz).any():
        why = "service.sharing: demand ignores it; set service.sharing: shares"
        yield f"The column reservation_mhz of {table.file.name}", why
    why = "service.sharing: demand ignores both; set service.sharing: shares"
    for size in scenario.workload.sizes:
        for name in ("shares", "reservation"):
            if _changed(size, name):
                yield f"workload.sizes.{size.name}.{name}", why


def _columns_of_table(run: PlayedCase) -> Iterator[tuple[str, str]]:
    """Yield columns of a table of VMs that say what nothing here asks for."""
    table, workload = run.case.load.table, run.scenario.workload
    if table is None:
        return
    recorded = isinstance(workload.source, RecordedTrace)
    if any(table.load) and not (recorded and workload.match_series_by in ("name", None)):
        why = "workload.source has no series that are matched by name"
        yield f"The column load of {table.file.name}", why


def _migration_fields(run: PlayedCase) -> Iterator[tuple[str, str]]:
    """Yield fields of migration where the control policy moves no VM.

    A policy that does not say whether it migrates VMs is taken to, and none of these fields is told
    then.
    """
    scenario = run.scenario
    if migrates_vms(scenario.policies.control):
        return
    why = "policies.control never migrates VMs"
    names = (
        "transport",
        "background",
        "max_migrations_per_host",
        "max_migrations",
        "max_migrations_per_link",
        "suspend_bandwidth",
        "migration_order",
    )
    fields = [
        (scenario, "migration", "migration"),
        (scenario.service, "incoming_counts_as_violation", "service.incoming_counts_as_violation"),
    ]
    fields += [(scenario.network, name, f"network.{name}") for name in names]
    fields += [
        (size, "migration", f"workload.sizes.{size.name}.migration")
        for size in scenario.workload.sizes
    ]
    fields += [
        (group, "migration", f"farm.hosts.{group.name}.migration") for group in scenario.farm.hosts
    ]
    for part, name, field in fields:
        if _changed(part, name):
            yield field, why


def _power_fields(run: PlayedCase) -> Iterator[tuple[str, str]]:
    """Yield fields of power states where no host is ever switched.

    Control policies that never switch hosts make the fields of power states idle, unless hosts fail
    or a reserve wakes them.
    """
    scenario = run.scenario
    policies, power = scenario.policies, scenario.policies.power
    uses_sleep = not isinstance(policies.control, NoControl | Balance)
    if not uses_sleep and _changed(policies, "power"):
        yield "policies.power", "policies.control never powers down a host"
    elif not power.ahead_s:
        plain = type(power)()
        for name in ("forecast", "max_utilisation"):
            if getattr(power, name) != getattr(plain, name):
                yield (
                    f"policies.power.{name}",
                    ("it is used by policies.power.wake_ahead, which is 0 s"),
                )
    fails = scenario.failures.entries or scenario.failures.schedule
    reserved = policies.reserve or any(each.reserve for each in scenario.farm.clusters)
    for group in scenario.farm.hosts if not (uses_sleep or fails or reserved) else ():
        for name in ("boot", "shutdown", "off_power", "sleep"):
            if _changed(group, name):
                yield f"farm.hosts.{group.name}.{name}", "its hosts are always on"


def _lifecycle_fields(run: PlayedCase) -> Iterator[tuple[str, str]]:
    """Yield fields of failures, admission and provisioning that nothing in the run needs.

    Provisioning matters only where VMs start within the run, retries only where there are any.
    """
    scenario = run.scenario
    failures, admission, provisioning = (
        scenario.failures,
        scenario.admission,
        scenario.provisioning,
    )
    if not (failures.entries or failures.schedule):
        for name in ("detection_time", "restart_vms", "restart_vms_of_isolated_hosts"):
            if _changed(failures, name):
                yield (
                    f"failures.{name}",
                    ("nothing fails; add failures.entries or failures.schedule"),
                )
    if not run.case.living and not scenario.applications:
        for part, of in ((admission, "admission"), (provisioning, "provisioning")):
            for name in type(part).model_fields:
                if _changed(part, name):
                    yield f"{of}.{name}", "all VMs are present from the start and nothing fails"
        return
    if not admission.retries and _changed(admission, "retry_after"):
        yield "admission.retry_after", "admission.retries is 0"
    if provisioning.method != "template_copy":
        for name in ("image", "copy_bandwidth"):
            if _changed(provisioning, name):
                yield f"provisioning.{name}", "provisioning.method is not template_copy"


def _changed(part: Any, name: str) -> bool:
    """Whether a field of a part is not at its default."""
    default = type(part).model_fields[name].get_default(call_default_factory=True)
    return bool(getattr(part, name) != default)


def wide_vms(run: PlayedCase) -> list[str]:
    """Return a warning of VMs with more vCPUs than their host has cores, or a NUMA node has.

    A VM is compared with the host that it is on at the end, one without a host with the widest.

    A vCPU is never faster than a core, so that such a VM cannot use all that it was sold; beyond
    one NUMA node its memory is partly remote. At most :data:`SHOWN` VMs are named in a warning.
    """
    farm = run.farm
    vms, hosts = farm.vms, farm.hosts
    cores = np.array([model.cores for model in run.case.host_models])
    servers = [server_of(group) for group in run.scenario.farm.hosts]
    sockets = np.array([server.sockets for server in servers])
    group = np.where(vms.host >= 0, hosts.group[vms.host], int(np.argmax(cores)))
    beyond = vms.vcpus > cores[group]
    nodes = (sockets[group] > 1) & (vms.vcpus > cores[group] / sockets[group])
    beyond_host, beyond_node = np.flatnonzero(beyond), np.flatnonzero(nodes & ~beyond)
    found = []
    if len(beyond_host):
        found.append(
            f"{_named(run, beyond_host)} more vCPUs than a host has cores, so they can never all "
            "run at once; use fewer vCPUs or larger servers."
        )
    if len(beyond_node):
        found.append(
            f"{_named(run, beyond_node)} more vCPUs than a NUMA node (socket) has cores, so part "
            "of the memory is remote."
        )
    return found


def _named(run: PlayedCase, vms: Any) -> str:
    """Return the first of some VMs and how many there are, as the subject of a sentence."""
    names = [run.farm.vms.names[vm] for vm in vms[:SHOWN].tolist()]
    more = f" and {len(vms) - SHOWN:,} more" if len(vms) > SHOWN else ""
    count = "1 VM has" if len(vms) == 1 else f"{len(vms):,} VMs have"
    return f"{', '.join(names)}{more}: {count}"

"""Check policies against the hosts that they name or need."""

from collections.abc import Iterator
from math import comb

import numpy as np

from ...policies.control.evacuation import Evacuation
from ...policies.control.reassign import Reassign
from ...policies.placement_algorithms.recorded import Recorded
from ..equipment.sleep import states_of
from ..errors.suggest import unknown_name
from ..language.fields import Fault
from ..language.yaml_text import Path as Place
from ..resolve.clusters import cluster_of_hosts
from ..resolve.farm import host_names, named_hosts
from ..resolve.racks import rack_names
from ..spec.policies import FailingHosts, Reserve, StandbyHosts, reserves_of
from ..spec.spec import Spec

MAX_SETS = 10_000
"""Sets of hosts whose failure is tried VM by VM at each decision."""


def faults_of_control(spec: Spec) -> Iterator[Fault]:
    """Yield hosts that an evacuation or an assignment names and that do not exist.

    A pattern of an evacuation may match hosts or racks and must match one; each host of an
    assignment that is written in the scenario must exist. Assignments in files are checked when
    they are read.
    """
    control = spec.policies.control
    if isinstance(control, Evacuation):
        names = host_names(spec.farm)
        of_racks = zip(names, rack_names(spec), strict=True)
        if not any(control.names(name, rack) for name, rack in of_racks):
            place = ("policies", "control", "hosts")
            yield place, unknown_name("host", control.hosts, names)
    if isinstance(control, Reassign) and isinstance(control.assignment, dict):
        names = host_names(spec.farm)
        for vm, host in control.assignment.items():
            if host not in names:
                yield ("policies", "control", "assignment", vm), unknown_name("host", host, names)


def faults_of_start(spec: Spec) -> Iterator[Fault]:
    """Yield a placement on recorded hosts where no table records any."""
    if isinstance(spec.policies.initial.placement, Recorded) and spec.workload.vms_file is None:
        message = (
            "recorded needs a table of VMs with their hosts; add workload.vms_file, or choose "
            "another placement"
        )
        yield ("policies", "initial", "placement"), message


def faults_of_sleep(spec: Spec) -> list[Fault]:
    """Return what is wrong with the sleep state that the policies of a scenario name.

    Only ``off`` needs nothing: every host can be switched off. Other states must be described, or
    left to their defaults, for at least one group.
    """
    wanted = spec.policies.power.sleep
    if wanted == "off" or any(wanted in states_of(group) for group in spec.farm.hosts):
        return []
    has = sorted({state for group in spec.farm.hosts for state in states_of(group)})
    message = (
        f"no host supports {wanted}; add {{state: {wanted}}} to farm.hosts[].sleep, or use one of "
        f"{', '.join(['off', *has])}"
    )
    return [(("policies", "power", "sleep"), message)]


def faults_of_reserve(spec: Spec) -> Iterator[Fault]:
    """Yield what is wrong with reserves, given the hosts of the farm and of each cluster.

    Each must be smaller than the farm or its cluster, name hosts that exist, and be small enough to
    be checked by packing where that is requested.
    """
    names = host_names(spec.farm)
    yield from _faults_of(spec.policies.reserve, ("policies", "reserve"), names, "the farm")
    clusters = cluster_of_hosts(spec.farm)
    for index, cluster in enumerate(spec.farm.clusters):
        here = [names[row] for row in np.flatnonzero(clusters == index).tolist()]
        place = ("farm", "clusters", index, "reserve")
        yield from _faults_of(cluster.reserve, place, here, f"cluster {cluster.name}")


def _faults_of(
    written: Reserve | tuple[Reserve, ...] | None, place: Place, names: list[str], where: str
) -> Iterator[Fault]:
    """Yield what is wrong with one reserve or a list, among hosts of some names."""
    several = isinstance(written, tuple)
    for number, part in enumerate(reserves_of(written)):
        at = (*place, number) if several else place
        if isinstance(part, FailingHosts):
            yield from _faults_of_count(part, len(names), at, where)
        elif isinstance(part, StandbyHosts):
            yield from _faults_of_standby(part, names, (*at, "hosts"), where)


def _faults_of_standby(
    part: StandbyHosts, names: list[str], place: Place, where: str
) -> Iterator[Fault]:
    """Yield patterns that name no host, and a reserve that names all."""
    for index, pattern in enumerate(part.hosts):
        if not named_hosts([pattern], names).any():
            yield (*place, index), unknown_name("host", pattern, names)
    if named_hosts(part.hosts, names).all():
        yield place, f"the reserve names all {len(names)} hosts of {where}; name fewer"


def _faults_of_count(part: FailingHosts, hosts: int, place: Place, where: str) -> Iterator[Fault]:
    """Yield a reserve of more hosts than there are, or of too many sets to be packed.

    Told at ``hosts`` or ``check`` below ``place``. The number of sets is ``comb(farm, hosts)``.
    """
    if part.hosts >= hosts:
        most = (
            f"keep at most {hosts - 1}"
            if hosts > 1
            else f"{'a farm' if where == 'the farm' else 'a cluster'} of one host can keep no "
            "reserve: remove it"
        )
        message = (
            f"a reserve of {part.hosts} hosts is larger than {where}, which has {hosts}; {most}"
        )
        yield (*place, "hosts"), message
    elif part.check == "packing" and comb(hosts, part.hosts) > MAX_SETS:
        message = (
            f"{comb(hosts, part.hosts):,} sets of {part.hosts} hosts would be tested at each "
            f"decision, more than {MAX_SETS:,}; set check: sum"
        )
        yield (*place, "check"), message

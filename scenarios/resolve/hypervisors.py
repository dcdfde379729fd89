"""Resolve server, hypervisor and allowed VMs of a group of hosts.

Used twice: to check groups before a run, and to make the layer of the run.
"""

from dataclasses import replace

import numpy as np

from ...models.base.arrays import Bools, Ints
from ...models.base.estimates import Level, Ranged
from ...models.hardware.cpu_features import assists_of
from ...models.hardware.server import Server, servers
from ...models.hypervisor.overheads import Platform
from ...models.hypervisor.profiles import Hypervisor, derive, profile
from ..equipment.hypervisors import InlineHypervisor
from ..equipment.servers import InlineServer
from ..spec.farm import HostGroup


def server_of(group: HostGroup) -> Server:
    """Return the server of a group with the clock that its MHz count as.

    That is nominal clock x ``performance``, MHz of the reference by which load is stated.
    """
    server = nominal_server(group)
    if group.performance == 1:
        return server
    return replace(server, core_mhz=server.core_mhz * group.performance)


def nominal_server(group: HostGroup) -> Server:
    """Return the server of a group, of the catalogue or as the scenario writes it out.

    A server that is written out has one thread per core, and no processor from which assistance
    could be read. Its power is that of the group, so that it has no curve here.
    """
    if not isinstance(group.server, InlineServer):
        return servers()[group.server]
    inline = group.server
    return Server(
        id="inline",
        vendor="",
        model="inline",
        cpu="",
        sockets=inline.sockets,
        cores=inline.cores,
        threads=inline.cores,
        core_mhz=inline.clock,
        memory_mib=inline.memory,
        watts=(),
        ssj_ops=(),
        published="",
        confidence="given",
        source="scenario",
        full_ops=inline.ssj_ops,
    )


def profile_of(group: HostGroup) -> Hypervisor[Ranged]:
    """Return the hypervisor of a group with the ranges of its figures."""
    written = group.hypervisor
    if isinstance(written, InlineHypervisor):
        return derive(profile(written.based_on), f"own {written.based_on}", **written.change)
    return profile(written)


def hypervisor_of(group: HostGroup, level: Level) -> Hypervisor[float]:
    """Return the hypervisor of a group at a level of cost."""
    return profile_of(group).at(level)


def assists_of_group(group: HostGroup) -> frozenset[str]:
    """Return the assistance flags of a group's server: as written, or as its processor has.

    Flags are those of ASSISTS. By default they follow from the processor and the year of its
    publication.
    """
    if group.assists is not None:
        return frozenset(group.assists)
    server = server_of(group)
    return assists_of(server.cpu, server.published)


def platform_of(group: HostGroup, level: Level) -> Platform:
    """Return hypervisor, server and paths of a group.

    Raises ValueError if the server lacks an assistance that the hypervisor or a path needs.
    """
    server = server_of(group)
    return Platform(
        hypervisor=hypervisor_of(group, level),
        server=server,
        assists=assists_of_group(group),
        storage=group.storage_path or "",
        network=group.network_path or "",
        memory_mib=group.memory or server.memory_mib,
    )


def allowed_by_tenant(of_size: Ints, of_group: Ints, alone: list[bool]) -> Bools:
    """Return allowed groups, (sizes, groups), from indices of tenants, -1 for none.

    Dedicated hosts take their tenant only; a tenant that is ``alone`` goes nowhere else.
    """
    same = of_size[:, None] == of_group[None, :]
    shared_host = of_group[None, :] < 0
    may_share = np.array([tenant < 0 or not alone[tenant] for tenant in of_size.tolist()])
    allowed: Bools = same | (shared_host & may_share[:, None])
    return allowed

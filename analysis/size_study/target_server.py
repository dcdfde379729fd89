"""The server that a farm is sized for, as a group of hosts, and its work per MHz."""

from collections.abc import Mapping
from math import sqrt
from typing import Any, Final

import yaml

from ...models.base.arrays import added
from ...models.base.catalogue import MIB_PER_GIB
from ...models.base.lazy_dataclass import dataclass
from ...models.hardware.cpu_names import cpu_key, generation_of
from ...models.hardware.memory_power import extra_power
from ...models.hardware.performance import MAX_DEFAULT
from ...models.hardware.server import Server, find_server
from ...scenarios.equipment.servers import InlineServer
from ...scenarios.errors.problems import refuse
from ...scenarios.resolve.hypervisors import server_of
from ...scenarios.scenario import Scenario
from ...scenarios.spec.farm import HostGroup

ASSUMED_HOSTS: Final = "-assumed"
"""End of the name of a group of hosts that an import assumes, since no file lists any."""
USABLE: Final = 0.95
"""Share of a host's memory that VMs may use: the rest is the hypervisor's own, as a rule."""


@dataclass(frozen=True)
class TargetServer:
    """The server that a farm is sized for.

    ``group`` is a group of hosts in the scenario language, without name and count; ``text`` says in
    words what it is, ``note`` what a planner has to know of it. ``ops_per_core_ghz`` are operations
    per second, core and GHz by SPECpower_ssj2008, None where unknown. ``present`` says that it is
    the server that the farm has now, ``calibration`` is the factor that a measured power puts on
    its curve.
    """

    name: str
    text: str
    group: Mapping[str, Any]
    ops_per_core_ghz: float | None
    present: bool
    note: str = ""
    calibration: float = 1.0

    def with_performance(self, factor: float) -> dict[str, Any]:
        """Return the group with its work per MHz."""
        return {**self.group, "performance": factor}


def target_server(scenario: Scenario, name: str | None, memory_mib: float | None) -> TargetServer:
    """Return the server of a name or search, or that of the present hosts, with some memory.

    By default it is the server of the group with most hosts in service, with its memory. Of a
    server of the catalogue the memory is that of the published system. Raises InputError for a name
    that the catalogue does not have, or that finds several.
    """
    real = [group for group in scenario.farm.hosts if not group.name.endswith(ASSUMED_HOSTS)]
    if name is None and not real:
        raise refuse(
            scenario.name, "the inventory has no hosts; name the server to buy", "--server"
        )
    present = [group for group in real if group.in_service]
    most = max(present or real or scenario.farm.hosts, key=lambda group: group.count)
    kept = _kept(most)
    if name is None:
        return _present(most, kept, memory_mib)
    if name.lstrip().startswith("{"):
        return _written_out(scenario, name, kept, memory_mib)
    try:
        server = find_server(name)
    except ValueError as error:
        raise refuse(scenario.name, str(error), "--server") from None
    has_mib = memory_mib or server.memory_mib
    note = ""
    if memory_mib is None:
        note = (
            f"The {has_mib / MIB_PER_GIB:,.0f} GiB of {server.id} are those of the published "
            "benchmark system; set --memory to what you buy."
        )
    generation = generation_of(cpu_key(server.cpu))
    kind = generation.memory if generation else ""
    extra = extra_power(has_mib / MIB_PER_GIB, server.memory_mib / MIB_PER_GIB, kind)
    group = {
        **kept,
        "server": server.id,
        "memory": f"{has_mib:g} MiB",
        "extra_power": f"{extra.watts.typical:g} W",
    }
    text = _text(server.sockets, server.cores, server.core_mhz, has_mib)
    return TargetServer(server.id, text, group, _ops(server), False, note)


def _written_out(
    scenario: Scenario, text: str, kept: Mapping[str, Any], memory_mib: float | None
) -> TargetServer:
    """Return a server that is written out as under ``farm.hosts[].server``. Raises InputError."""
    try:
        written = yaml.safe_load(text)
    except yaml.YAMLError:
        message = (
            "cannot be read; write it like {cores: 64, sockets: 2, clock: 2.8 GHz, memory: 1 TiB, "
            "power: {model: linear, idle: 200 W, max: 800 W}}"
        )
        raise refuse(scenario.name, message, "--server") from None
    memory = {} if memory_mib is None else {"memory": f"{memory_mib:g} MiB"}
    group = {**kept, "server": written, **memory}
    changes: dict[str, Any] = {"farm": {"hosts": [{**group, "name": "host", "count": 1}]}}
    if scenario.planning is not None:
        changes["planning.incomplete_clusters"] = []
    made = scenario.with_(changes).farm.hosts[0]
    server = server_of(made)
    has_mib = memory_mib or server.memory_mib
    shown = _text(server.sockets, server.cores, server.core_mhz, has_mib)
    return TargetServer("written out", shown, group, _ops_of(made), False)


def _kept(group: HostGroup) -> dict[str, Any]:
    """Return what new hosts take over from present ones: hypervisor and ceilings.

    Not their overcommit of memory: a plan promises no memory twice.
    """
    fields = {"hypervisor", "smt_gain"}
    written = group.model_dump(mode="python", exclude_none=True, include=fields)
    given = group.ceilings.model_dump(exclude_unset=True)
    return {**written, "ceilings": {"memory": USABLE, **given}}


def _present(group: HostGroup, kept: Mapping[str, Any], memory_mib: float | None) -> TargetServer:
    """Return the server of a group of the farm."""
    server = server_of(group)
    fields = {"server", "memory", "power", "extra_power", "assists"}
    written = group.model_dump(mode="python", exclude_none=True, include=fields)
    has_mib = memory_mib or group.memory or server.memory_mib
    written["memory"] = f"{has_mib:g} MiB"
    name = group.server if isinstance(group.server, str) else f"like group {group.name}"
    text = _text(server.sockets, server.cores, server.core_mhz, has_mib)
    same = {**kept, **written, "performance": group.performance}
    return TargetServer(name, text, same, _ops_of(group), True)


def _text(sockets: int, cores: int, core_mhz: float, memory_mib: float) -> str:
    """Return a server in words."""
    return (
        f"{sockets} x {cores // max(sockets, 1)} cores of {core_mhz / 1000:g} GHz, "
        f"{memory_mib / MIB_PER_GIB:,.0f} GiB"
    )


def _ops(server: Server) -> float | None:
    """Return operations per second, core and GHz of a server of the catalogue."""
    ops = server.max_ops
    return None if ops is None else ops / (server.cpu_mhz / 1000.0)


def _ops_of(group: HostGroup) -> float | None:
    """Return operations per second, core and GHz of the server of a group; None if unknown."""
    if isinstance(group.server, InlineServer):
        ops = group.server.ssj_ops
        return None if ops is None else ops / (group.server.cores * group.server.clock / 1000.0)
    return _ops(server_of(group))


def performance_of_target(scenario: Scenario, target: TargetServer) -> dict[str, float | None]:
    """Return the work per MHz of a target against the present hosts, by assumption.

    The reference is all present hosts together: their operations over their cores times clock. It
    is unknown where no more than half of their capacity has known operations. The same server as
    now does the same work per MHz. See :mod:`.models.hardware.performance`.
    """
    if target.present:
        own = float(target.group.get("performance", 1.0))
        return {"none": own, "ssj": own, "default": own}
    ops, known, total = [], [], []
    for group in scenario.farm.hosts:
        server = server_of(group)
        capacity = group.count * server.cores * server.core_mhz / 1000.0
        per_ghz = _ops_of(group)
        total.append(capacity)
        if per_ghz is not None:
            ops.append(per_ghz / group.performance * capacity)
            known.append(capacity)
    if target.ops_per_core_ghz is None or added(known) <= added(total) / 2:
        return {"none": 1.0, "ssj": None, "default": None}
    ratio = target.ops_per_core_ghz / (added(ops) / added(known))
    return {"none": 1.0, "ssj": ratio, "default": min(sqrt(ratio), MAX_DEFAULT)}

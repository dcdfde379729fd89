"""Check a group of hosts on its own.

A hypervisor needs assists of the server, a path must be one of the hypervisor's, and each promise
(threads, memory, CPU features) something that keeps it. The catalogue of hypervisors is read only
for groups that say more than the default.
"""

from collections.abc import Iterator

from ...models.base.estimates import Ranged
from ...models.hardware.cpu_features import CPU_BASELINES
from ...models.hypervisor.profiles import HOSTED, Hypervisor, profiles
from ..equipment.servers import InlineServer
from ..errors.suggest import unknown_name
from ..language.fields import Fault
from ..resolve.hypervisors import assists_of_group, profile_of, server_of
from ..spec.farm import HostGroup
from ..spec.spec import Spec


def faults_of_groups(spec: Spec) -> Iterator[Fault]:
    """Yield what does not go together within each group of hosts.

    Places begin at ``farm.hosts.N``, N counted from 0. Each group is judged by itself: what groups
    say of one another is checked in ``checks/hypervisors.py`` and ``checks/migration.py``.
    """
    for index, group in enumerate(spec.farm.hosts):
        for place, message in faults_of_group(group):
            yield ("farm", "hosts", index, *place), message


def faults_of_group(group: HostGroup) -> list[Fault]:
    """Return what does not go together: server, hypervisor, paths and promises of memory.

    Places are below the group. Where a path does not exist, nothing else is checked. A group with
    the default hypervisor and no promises is right without a look into the catalogue.

    Figures of the hypervisor are taken with their whole range: what one level of ``overheads``
    would forbid and another allow is not refused here.
    """
    extras = group.smt_gain or group.host_applications or group.memory_overcommit > 1
    extras = extras or group.cpu_baseline or group.passthrough_migration != "refuse"
    if group.hypervisor == "ideal" and not extras:
        return []  # nothing that could be missing, and no catalogue to read
    hypervisor = profile_of(group)
    faults = _paths(group, hypervisor)
    if faults:
        return faults
    faults = _assists(group, hypervisor)
    faults += _threads(group) + _applications(group, hypervisor) + _memory(group, hypervisor)
    return faults + _cpu(group) + _device(group, hypervisor)


def _paths(group: HostGroup, hypervisor: Hypervisor[Ranged]) -> list[Fault]:
    """Return paths of I/O that the hypervisor does not have.

    The places are ``storage_path`` and ``network_path``; the message names the nearest path that
    the hypervisor has.
    """
    faults: list[Fault] = []
    for what in ("storage", "network"):
        field = f"{what}_path"
        written = getattr(group, field)
        if written is None:
            continue
        try:
            getattr(hypervisor, field)(written)
        except ValueError:
            known = [path.name for path in getattr(hypervisor, what)]
            faults.append(
                ((field,), unknown_name(f"{what} path of {hypervisor.name}", written, known))
            )
    return faults


def _assists(group: HostGroup, hypervisor: Hypervisor[Ranged]) -> list[Fault]:
    """Return assists that hypervisor or paths need and the server lacks, each told once.

    Looked at are the hypervisor, then the storage path, then the network path; a flag that one of
    them has been refused for is not told again at the next.
    """
    has = assists_of_group(group)
    wanted: dict[str, tuple[str, ...]] = {"hypervisor": hypervisor.needs}
    for what in ("storage", "network"):
        field = f"{what}_path"
        wanted[field] = getattr(hypervisor, field)(getattr(group, field) or "").needs
    faults: list[Fault] = []
    told: set[str] = set()
    for field, flags in wanted.items():
        missing = [flag for flag in flags if flag not in has and flag not in told]
        told.update(missing)
        if missing:
            faults.append(((field,), _missing(group, hypervisor, field, missing, has)))
    return faults


def _missing(
    group: HostGroup,
    hypervisor: Hypervisor[Ranged],
    field: str,
    missing: list[str],
    has: frozenset[str],
) -> str:
    """Say which assists are missing at a field and what would run without them.

    ``missing`` are the flags that ``field`` needs, ``has`` all that the server has. The message
    lists what runs without them, so that the user can choose.
    """
    held = ", ".join(sorted(has)) or "none"
    server = server_of(group).id
    if field == "hypervisor":
        what = hypervisor.name
        runs = [name for name, each in profiles().items() if not each.missing_assists(has)]
        instead = f"profiles that do: {', '.join(runs)}"
    else:
        paths = getattr(hypervisor, field.removesuffix("_path"))
        what = f"{getattr(group, field) or hypervisor.default_path} I/O of {hypervisor.name}"
        may = [path.name for path in paths if has.issuperset(path.needs)]
        instead = f"paths that do: {', '.join(may) or 'none'}"
    return (
        f"{what} needs {', '.join(missing)}, which {server} lacks (it has {held}); {instead}; if "
        "the server does have it, list it under assists"
    )


def _threads(group: HostGroup) -> list[Fault]:
    """Return a gain of multithreading where a core has one thread.

    The place is ``smt_gain``. Threads are those of the published result of the server.
    """
    # Of a server written out nothing is known of threads, so the gain itself states them.
    server = server_of(group)
    if not group.smt_gain or isinstance(group.server, InlineServer):
        return []
    if server.threads > server.cores:
        return []
    message = (
        f"{server.id} has one thread per core ({server.cores} of each), so simultaneous "
        "multithreading gains nothing; remove smt_gain or use a server with more threads than "
        "cores"
    )
    return [(("smt_gain",), message)]


def _applications(group: HostGroup, hypervisor: Hypervisor[Ranged]) -> list[Fault]:
    """Return applications on the host's system where the hypervisor is not a hosted one.

    The place is ``host_applications``: only hypervisors of type 2 run beside other programs on a
    host's operating system.
    """
    if not group.host_applications or hypervisor.allows_host_applications:
        return []
    hosted = [name for name, each in profiles().items() if each.allows_host_applications]
    message = (
        f"{hypervisor.name} is of kind {hypervisor.kind} and has no host operating system for "
        f"other applications; remove this or use a hosted one ({', '.join(HOSTED)}): "
        f"{', '.join(hosted)}"
    )
    return [(("host_applications",), message)]


def _memory(group: HostGroup, hypervisor: Hypervisor[Ranged]) -> list[Fault]:
    """Return memory promised beyond what there is where nothing could give any back.

    The place is ``memory_overcommit``. A hypervisor passes if at the upper end of its figures it
    shares pages, balloons or swaps; otherwise memory beyond what is installed could never be
    backed.
    """
    if group.memory_overcommit <= 1:
        return []
    costs = hypervisor.memory
    gives = costs.sharing_share.high > 0 or costs.ballooning_share.high > 0
    if hypervisor.kind != "none" and (gives or costs.swap_slowdown.high > 1):
        return []
    why = (
        "does not virtualise memory"
        if hypervisor.kind == "none"
        else "neither shares, balloons nor swaps memory"
    )
    message = (
        f"{hypervisor.name} {why}, so memory cannot be overcommitted; write 1, or use a hypervisor "
        "that can"
    )
    return [(("memory_overcommit",), message)]


def _cpu(group: HostGroup) -> list[Fault]:
    """Say where a processor of another vendor, or an older one, is to show a baseline.

    The place is ``cpu_baseline``. Vendor and year of publication of the server decide; of a server
    written out neither is known, and any baseline is accepted.
    """
    if group.cpu_baseline is None or isinstance(group.server, InlineServer):
        return []
    baseline, server = CPU_BASELINES[group.cpu_baseline], server_of(group)
    published = server.published[:4]
    fitting = [
        name
        for name, each in CPU_BASELINES.items()
        if server.cpu.lower().startswith(each.vendor) and each.year <= int(published)
    ]
    if group.cpu_baseline in fitting:
        return []
    message = (
        f"{group.cpu_baseline} is {baseline.vendor}'s of {baseline.year}, and {server.id} has "
        f"{server.cpu}, published {published}; write one of {', '.join(fitting)}"
    )
    return [(("cpu_baseline",), message)]


def _device(group: HostGroup, hypervisor: Hypervisor[Ranged]) -> list[Fault]:
    """Return permission to detach a device where guests have none.

    The place is ``passthrough_migration``: without a passthrough device the field would change
    nothing.
    """
    path = hypervisor.network_path(group.network_path or "")
    if group.passthrough_migration == "refuse" or not path.live_migration:
        return []
    message = (
        f"guests of {hypervisor.name} have no passthrough device on the {path.name} path; remove "
        "this, or set network_path: passthrough"
    )
    return [(("passthrough_migration",), message)]

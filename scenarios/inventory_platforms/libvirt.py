"""libvirt: ``virsh domstats`` at two or more instants, and ``virsh nodeinfo``, as text.

``cpu.time`` and ``vcpu.N.delay`` are counters in ns: use is their increase over the time between
two files. Memory is in KiB. ``CPU socket(s)`` of nodeinfo is per NUMA cell.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import numpy as np

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Host, Inventory, Series, Vm
from ..inventory.series import CPU_READY, CPU_USAGE, on_step_ends, step_of
from ..inventory_files.columns import ReadOptions
from ..inventory_files.json_values import JsonValues, finite
from ..inventory_files.sheets import InputFile
from ..inventory_files.sources import begun

NAME: Final = "libvirt"
KIB_PER_MIB: Final = 1024.0
NS: Final = 1e9
_DOMAIN: Final = re.compile(r"^Domain:\s*(.+?)\s*$", re.MULTILINE)
_NODE: Final = re.compile(r"^(CPU socket\(s\)|Core\(s\) per socket|NUMA cell\(s\)):", re.MULTILINE)
_WORDS: Final = {"virsh", "domstats", "nodeinfo", "stats", "libvirt", "txt", "out", "log", ""}
_STATES: Final = {
    1: "running", 2: "running", 3: "paused", 4: "shutdown", 5: "shut off", 6: "crashed",
    7: "suspended",
}  # fmt: skip
SAME_HOST: Final = 0.5
"""Share of the domains that two outputs of one host have in common."""

Domains = dict[str, dict[str, str]]


@dataclass(frozen=True)
class _Sample:
    """What one file of domstats states, and when it was taken, where it says so."""

    file: str
    domains: Domains
    taken_s: float | None

    def number(self, domain: str, key: str) -> float | None:
        """Return a number of a domain, None if it is not stated."""
        value = finite(self.domains.get(domain, {}).get(key))
        return value if value is not None and value >= 0 else None


def is_node(file: InputFile) -> bool:
    """Whether a file is the output of ``virsh nodeinfo``."""
    return file.kind in {"text", "table"} and len(set(_NODE.findall(file.text))) == 3


def is_domains(file: InputFile) -> bool:
    """Whether a file is the output of ``virsh domstats``."""
    if file.kind not in {"text", "table"} or not _DOMAIN.search(file.text):
        return False
    return bool(re.search(r"^\s+(state\.state|cpu\.time|vcpu\.\w+)=", file.text, re.MULTILINE))


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the files of libvirt, one group for each host.

    Outputs of domstats that share most domains are of one host. Where there are several hosts, an
    output of nodeinfo belongs to the domains whose file names begin as its own does.
    """
    groups: list[list[InputFile]] = []
    names: list[set[str]] = []
    for file in filter(is_domains, files):
        here = set(_DOMAIN.findall(file.text))
        for group, known in zip(groups, names, strict=True):
            if len(here & known) >= SAME_HOST * min(len(here), len(known)):
                group.append(file)
                break
        else:
            groups.append([file])
            names.append(here)
    nodes = [file for file in files if is_node(file)]
    of_domains = list(groups)
    for node in nodes:
        if len(nodes) == len(of_domains) == 1:
            groups[0].append(node)
            continue
        begin = [len(_begin([_stem(node), _stem(each[0])])) for each in of_domains]
        nearest = max(begin, default=0)
        if nearest and begin.count(nearest) == 1:
            of_domains[begin.index(nearest)].append(node)
        else:
            groups.append([node])
    return groups


def host_name(files: Sequence[InputFile]) -> str:
    """Return the host that the names of its files begin with: ``kvm1`` for ``kvm1-nodeinfo.txt``.

    Empty where they name none.
    """
    stems = [_stem(file) for file in files]
    common = _begin(stems)
    if common not in stems:
        common = re.sub(r"[^-_. ]*$", "", common)
    words = re.split(r"[-_. ]+", common)
    return "-".join(word for word in words if word.lower() not in _WORDS)


def _begin(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    first, last = min(texts), max(texts)
    same = (at for at, letter in enumerate(first) if letter != last[at : at + 1])
    return first[: next(same, len(first))]


def _stem(file: InputFile) -> str:
    """Return the name of a file without folder and ending."""
    return re.split(r"[/\\]", file.name)[-1].rpartition(".")[0] or file.name


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:
    """Return the host and the domains of a group of files."""
    inventory = begun(group, NAME, experimental=True)
    nodes = [file for file in group if is_node(file)]
    samples = _in_order([_sample(file) for file in group if is_domains(file)])
    host = _host(nodes[0], host_name(group), inventory.findings) if nodes else None
    if host is not None:
        inventory.hosts.append(host)
    if samples:
        times = _times(samples, options, inventory.findings)
        for name in samples[-1].domains:
            inventory.vms.append(_vm(name, samples, times, host))
            if times is not None and all(each.taken_s is not None for each in samples):
                inventory.series += _series(name, samples, times)
        inventory.findings += _twice(group)
    return inventory


def _sample(file: InputFile) -> _Sample:
    """Return what one output of domstats states."""
    places = list(_DOMAIN.finditer(file.text))
    ends = [each.start() for each in places[1:]] + [len(file.text)]
    domains: Domains = {}
    for place, end in zip(places, ends, strict=True):
        name = place[1].strip("'\"") or place[1]
        lines = file.text[place.end() : end].splitlines()
        pairs = (line.strip().partition("=") for line in lines if "=" in line)
        domains.setdefault(name, {key: value for key, _, value in pairs})
    head = file.text[: places[0].start()].strip()
    return _Sample(file.name, domains, _time_of(head.splitlines()[-1] if head else ""))


def _time_of(line: str) -> float | None:
    """Return the time in a line that ``date -Is`` or ``date +%s`` wrote, None if there is none."""
    number = finite(line)
    if number is not None:
        return number if 1e8 < number < 1e11 else None
    try:
        moment = datetime.fromisoformat(line.strip().replace(",", "."))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def _in_order(samples: list[_Sample]) -> list[_Sample]:
    """Return samples as they were taken: by their times, else by the counters that grew."""
    if len({each.taken_s for each in samples} - {None}) == len(samples):
        return sorted(samples, key=lambda each: each.taken_s or 0.0)

    def counted(sample: _Sample) -> float:
        common = set.intersection(*(set(each.domains) for each in samples))
        return added(sample.number(name, "cpu.time") or 0.0 for name in sorted(common))

    return sorted(samples, key=counted)


def _times(
    samples: Sequence[_Sample], options: ReadOptions, findings: list[Finding]
) -> list[float] | None:
    """Return the time in s of each sample; None, with a finding, if it is not known."""
    taken = [each.taken_s for each in samples if each.taken_s is not None]
    if len(taken) == len(samples) > 1 and len(set(taken)) == len(taken):
        return taken
    interval_s = options.interval_s
    if len(samples) > 1 and interval_s is not None and interval_s > 0:
        return [at * interval_s for at in range(len(samples))]
    missing = (
        "a second output of 'virsh domstats' some minutes later"
        if len(samples) == 1
        else "the time between the files with --interval, or put the output of 'date -Is' before "
        "each output"
    )
    findings.append(
        Finding(
            "INTERVAL_UNKNOWN",
            Severity.WARNING,
            ", ".join(each.file for each in samples),
            "counters of CPU time say how much was used, not in which time",
            f"CPU use of these VMs is unknown; give {missing}",
        )
    )
    return None


def rates(samples: Sequence[_Sample], times: Sequence[float], name: str) -> list[float | None]:
    """Return the cores that a domain used between each two samples, None where unknown.

    A counter that fell was reset with the domain: its increase is the new value.
    """
    return _increases(samples, times, name, ["cpu.time"])


def waits(samples: Sequence[_Sample], times: Sequence[float], name: str) -> list[float | None]:
    """Return the share of its time that a vCPU waited for a core, between each two samples."""
    keys = [f"vcpu.{number}.delay" for number in range(_vcpus(samples[-1], name) or 0)]
    waited = _increases(samples, times, name, keys)
    return [None if each is None else each / len(keys) for each in waited]


def _increases(
    samples: Sequence[_Sample], times: Sequence[float], name: str, keys: Sequence[str]
) -> list[float | None]:
    """Return the increase of counters in ns together, in s per s; None where one is unknown."""
    result: list[float | None] = []
    for (before, after), (start, end) in zip(pairwise(samples), pairwise(times), strict=True):
        pairs = [(before.number(name, key), after.number(name, key)) for key in keys]
        grown = [
            after_ns - before_ns if after_ns >= before_ns else after_ns
            for before_ns, after_ns in pairs
            if before_ns is not None and after_ns is not None
        ]
        whole = bool(keys) and len(grown) == len(keys)
        result.append(added(grown) / NS / (end - start) if whole else None)
    return result


def _vcpus(sample: _Sample, name: str) -> int | None:
    """Return the vCPUs of a domain; those it may have at most where it does not run."""
    for key in ("vcpu.current", "vcpu.maximum"):
        value = sample.number(name, key)
        if value and value.is_integer() and value < 1e5:
            return int(value)
    return None


def _vm(
    name: str, samples: Sequence[_Sample], times: Sequence[float] | None, host: Host | None
) -> Vm:
    """Return a domain as the last sample states it, with its use since the one before."""
    last = samples[-1]
    vcpus, state = _vcpus(last, name), last.number(name, "state.state")
    word = _STATES.get(int(state)) if state is not None and state < 100 else None
    running = word == "running"
    used = rates(samples, times, name)[-1] if times and running else None
    ready = waits(samples, times, name)[-1] if times and running else None
    most, resident = last.number(name, "balloon.maximum"), last.number(name, "balloon.rss")
    return Vm(
        key=name,
        name=name,
        row=f"{last.file}, {name}",
        host=host.name if host else None,
        vcpus=vcpus,
        memory_mib=most / KIB_PER_MIB if most else None,
        memory_consumed_mib=resident / KIB_PER_MIB if resident and running else None,
        power_state=word,
        cpu_share=used / vcpus if used is not None and vcpus else None,
        cpu_ready_share=ready,
    )


def _series(name: str, samples: Sequence[_Sample], times: Sequence[float]) -> list[Series]:
    """Return use and waiting of a domain over the samples, whose times are known."""
    step_s = step_of([np.array(times)])
    if step_s is None:
        return []
    found = []
    for metric, unit, values in (
        (CPU_USAGE, "cores", rates(samples, times, name)),
        (CPU_READY, "share", waits(samples, times, name)),
    ):
        measured = np.array([np.nan if each is None else each for each in values])
        if np.isnan(measured).all():
            continue
        start, grid = on_step_ends(
            np.array(times[1:]), measured, step_s, samples[0].file, (times[0], times[-1])
        )
        found.append(Series(name, "vm", metric, unit, start, step_s, grid))
    return found


def _host(file: InputFile, name: str, findings: list[Finding]) -> Host:
    """Return the host of an output of nodeinfo."""
    stated = dict(re.findall(r"^([^:\n]+):\s*(.*?)\s*$", file.text, re.MULTILINE))
    record = {key: re.sub(r"\s*(MHz|KiB)$", "", value) for key, value in stated.items()}
    values = JsonValues(file.name)
    sockets = values.count(record, "CPU socket(s)", "nodeinfo")
    per_socket = values.count(record, "Core(s) per socket", "nodeinfo")
    cells = values.count(record, "NUMA cell(s)", "nodeinfo")
    clock = values.number(record, "CPU frequency", "nodeinfo", 20_000)
    memory = values.number(record, "Memory size", "nodeinfo")
    whole = sockets is not None and per_socket is not None and cells is not None
    host = Host(
        name=name or "host",
        row=f"{file.name}, nodeinfo",
        sockets=sockets * cells if sockets is not None and cells is not None else None,
        cores=sockets * per_socket * cells if whole else None,  # type: ignore[operator]
        threads=values.count(record, "CPU(s)", "nodeinfo"),
        clock_mhz=clock or None,
        memory_mib=memory / KIB_PER_MIB if memory else None,
        hypervisor="kvm",
    )
    findings += values.findings()
    if host.clock_mhz:
        findings.append(
            Finding(
                "CLOCK_OF_THE_MOMENT",
                Severity.INFO,
                host.row,
                f"CPU frequency, {host.clock_mhz:g} MHz, may be that of one core at that moment",
                "compare it with the nominal clock of the CPU",
                (host.name,),
            )
        )
    if not name:
        findings.append(
            Finding(
                "HOST_NAME_UNKNOWN",
                Severity.INFO,
                host.row,
                f"does not name the host; it is called {host.name}",
                "put the name of the host before that of the file, as in kvm1-nodeinfo.txt",
                (host.name,),
            )
        )
    return host


def _twice(group: Sequence[InputFile]) -> list[Finding]:
    """Tell of several outputs of nodeinfo, of which one can be that of these domains."""
    nodes = [file.name for file in group if is_node(file)]
    if len(nodes) < 2:
        return []
    return [
        Finding(
            "HOST_GIVEN_TWICE",
            Severity.WARNING,
            ", ".join(nodes),
            "these outputs of nodeinfo cannot be told apart by the names of their files",
            "the first is used; name files after their hosts, as in kvm1-nodeinfo.txt",
        )
    ]

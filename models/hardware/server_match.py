"""Match a host of an inventory to published power curves, and say how far to trust the match.

Levels, from near to far, with the errors that leaving out each published result gives
(docs/power.md): A, the same server model, processor and sockets; B, the same processor and
sockets, medians over all servers; B2, the same where only idle and full load are published, with a
curve of the generation's shape between; C, the nearest processors of the same generation with as
many sockets; D, servers of the same years by core. Anything else is refused: a curve of any server
at all is 59 % off in the middle, and power has to be given.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from math import log
from statistics import median

from ..base.catalogue import MIB_PER_GIB
from ..base.lazy_dataclass import dataclass
from .cpu_names import Generation, cpu_clock_mhz, cpu_key, cpu_name, generation_of
from .power_curves import Table
from .server import Result, published_results, servers

BANDS = {"A": 0.10, "B": 0.20, "B2": 0.25, "C": 0.35, "D": 0.65}
"""Share by which the power of a host may differ from its matched curve, by level."""
NEAREST = 5
"""Number of results of a generation whose median is taken at level C."""


@dataclass(frozen=True)
class Match:
    """A curve for a host, and what it rests on.

    ``watts`` are W at 0, 10, …, 100 % load, medians at each load over ``results`` published
    results; ``candidates`` name these. ``memory_gib`` and ``max_ops`` are their median memory and
    throughput at full load (ssj operations per second; None where unknown). ``neighbours`` is the
    number of results that could have been chosen from at levels C and D. ``band`` is the share by
    which the truth may differ. ``server`` is the catalogue entry of the same median, if any.
    """

    level: str
    cpu: str
    generation: str
    sockets: int
    cores: int
    core_mhz: float
    watts: tuple[float, ...]
    memory_gib: float
    memory_kind: str
    max_ops: float | None
    results: int
    neighbours: int
    candidates: tuple[str, ...]
    server: str | None = None

    @property
    def band(self) -> float:
        """Share by which the power of the host may differ from the curve, either way."""
        return BANDS[self.level]

    @property
    def power(self) -> Table:
        """The curve as a power model."""
        return Table(self.watts)


@dataclass(frozen=True)
class Wanted:
    """A host as it is matched: keys of processor and model (may be empty), generation, size."""

    cpu: str
    model: str
    generation: Generation | None
    sockets: int
    cores: int | None
    core_mhz: float | None


def match(
    cpu_model: str | None,
    model: str | None = None,
    sockets: int | None = None,
    cores: int | None = None,
    clock_mhz: float | None = None,
) -> Match | None:
    """Return the curve for a host, or None where nothing near enough is published.

    ``cpu_model`` and ``model`` are texts as inventories write them (``Intel(R) Xeon(R) CPU E5-2680
    0 @ 2.70GHz``, ``ProLiant DL380 G7``); ``cores`` counts all sockets. Where ``sockets`` is
    unknown it follows from the cores, if published results of the processor say how many a socket
    has. A clock that is unknown is read from the name of the processor.
    """
    key = cpu_key(cpu_model or "")
    sockets = sockets or _sockets_of(key, cores)
    if not key or not sockets:
        return None
    clock_mhz = clock_mhz or cpu_clock_mhz(cpu_model or "")
    host = Wanted(key, model_key(model or ""), generation_of(key), sockets, cores, clock_mhz)
    results = published_results()
    return (
        same_processor(results, host)
        or _ends_only(host)
        or same_generation(results, host)
        or same_years(results, host)
    )


def same_processor(results: Sequence[Result], host: Wanted) -> Match | None:
    """Return the match of level A or B, or None where no result has processor and sockets."""
    same = [each for each in results if (each.cpu, each.sockets) == (host.cpu, host.sockets)]
    if not same:
        return None
    own = [each for each in same if host.model and model_key(each.model) == host.model]
    chosen = own or same
    return Match(
        level="A" if own else "B",
        cpu=host.cpu,
        generation=host.generation.name if host.generation else "",
        sockets=host.sockets,
        cores=host.cores or round(median(each.cores for each in chosen)),
        core_mhz=host.core_mhz or median(each.core_mhz for each in chosen),
        watts=median_watts([each.watts for each in chosen]),
        memory_gib=median(each.memory_gib for each in chosen),
        memory_kind=host.generation.memory if host.generation else "",
        max_ops=median(each.max_ops for each in chosen),
        results=len(chosen),
        neighbours=len(same),
        candidates=_distinct(f"{each.vendor} {each.model}, {each.published}" for each in chosen),
        server=_entries().get((host.cpu, host.sockets)),
    )


def _ends_only(host: Wanted) -> Match | None:
    """Return the match of level B2: idle and full load published, the rest estimated."""
    name = _entries().get((host.cpu, host.sockets))
    server = servers()[name] if name else None
    if server is None or server.level != "B2":
        return None
    return Match(
        level="B2",
        cpu=host.cpu,
        generation=host.generation.name if host.generation else "",
        sockets=host.sockets,
        cores=host.cores or server.cores,
        core_mhz=host.core_mhz or server.core_mhz,
        watts=server.watts,
        memory_gib=server.memory_mib / MIB_PER_GIB,
        memory_kind=host.generation.memory if host.generation else "",
        max_ops=server.max_ops,
        results=server.results,
        neighbours=server.results,
        candidates=(server.source,),
        server=name,
    )


def same_generation(results: Sequence[Result], host: Wanted) -> Match | None:
    """Return the match of level C: the nearest processors of the generation, as many sockets.

    The distance is |log of the ratio of cores| + |log of the ratio of clocks|. What a neighbour
    draws above idle, and its throughput, are scaled by the ratio of cores x clock. Processors of
    level B2 are neighbours as well. None where cores or clock of the host are unknown.
    """
    if host.generation is None or host.cores is None or host.core_mhz is None:
        return None
    near = [
        each
        for each in [*results, *_ends_as_results()]
        if each.sockets == host.sockets and generation_of(each.cpu) == host.generation
    ]
    if not near:
        return None
    cores, core_mhz = host.cores, host.core_mhz
    chosen = sorted(
        near,
        key=lambda each: abs(log(each.cores / cores)) + abs(log(each.core_mhz / core_mhz)),
    )[:NEAREST]
    scale = [cores * core_mhz / (each.cores * each.core_mhz) for each in chosen]
    return Match(
        level="C",
        cpu=host.cpu,
        generation=host.generation.name,
        sockets=host.sockets,
        cores=cores,
        core_mhz=core_mhz,
        watts=median_watts(
            [
                tuple(each.watts[0] + (watt - each.watts[0]) * factor for watt in each.watts)
                for each, factor in zip(chosen, scale, strict=True)
            ]
        ),
        memory_gib=median(each.memory_gib for each in chosen),
        memory_kind=host.generation.memory,
        max_ops=median(each.max_ops * by for each, by in zip(chosen, scale, strict=True)),
        results=len(chosen),
        neighbours=len(near),
        candidates=_distinct(cpu_name(each.cpu) for each in chosen),
    )


def same_years(results: Sequence[Result], host: Wanted) -> Match | None:
    """Return the match of level D: watts by core of servers of the generation's year, +-1 year.

    None where the generation, and so the year, or the cores are unknown.
    """
    if host.generation is None or host.cores is None:
        return None
    year, cores = host.generation.year, host.cores
    near = [each for each in results if each.year is not None and abs(each.year - year) <= 1]
    if not near:
        return None
    core_mhz = host.core_mhz or median(each.core_mhz for each in near)
    per_core = median_watts([tuple(watt / each.cores for watt in each.watts) for each in near])
    by_mhz = median(each.max_ops / (each.cores * each.core_mhz) for each in near)
    return Match(
        level="D",
        cpu=host.cpu,
        generation=host.generation.name,
        sockets=host.sockets,
        cores=cores,
        core_mhz=core_mhz,
        watts=tuple(watt * cores for watt in per_core),
        memory_gib=median(each.memory_gib for each in near),
        memory_kind=host.generation.memory,
        max_ops=by_mhz * cores * core_mhz,
        results=len(near),
        neighbours=len(near),
        candidates=(f"servers published {year - 1} to {year + 1}",),
    )


def model_key(text: str) -> str:
    """Return a server's model without configuration, blanks and capitals.

    ``System x3650 M3 -[7945AC1]-`` is ``systemx3650m3``.
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\([^)]*\)|-?\[.*?\]-?", " ", text.lower()))


def median_watts(curves: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the median at each load of some curves."""
    return tuple(median(at_load) for at_load in zip(*curves, strict=True))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts once each, in their order."""
    return tuple(dict.fromkeys(texts))


@cache
def _entries() -> dict[tuple[str, int], str]:
    """Return catalogue entries of medians by key of the processor and sockets."""
    return {
        (cpu_key(each.cpu), each.sockets): name
        for name, each in servers().items()
        if each.level in ("B", "B2")
    }


@cache
def _ends_as_results() -> tuple[Result, ...]:
    """Return catalogue entries of level B2 as results; their curves are estimated between."""
    return tuple(
        Result(
            vendor=each.vendor,
            model=each.model,
            cpu=cpu_key(each.cpu),
            published=each.published,
            sockets=each.sockets,
            cores=each.cores,
            core_mhz=each.core_mhz,
            memory_gib=each.memory_mib / MIB_PER_GIB,
            watts=each.watts,
            max_ops=each.max_ops or 0.0,
            mark=each.confidence,
        )
        for each in map(servers().__getitem__, _entries().values())
        if each.level == "B2"
    )


def _sockets_of(key: str, cores: int | None) -> int | None:
    """Return how many sockets some cores of a processor fill; None where that is not known."""
    for (cpu, sockets), name in _entries().items():
        per_socket = servers()[name].cores // sockets
        if cpu == key and cores and cores % per_socket == 0:
            return cores // per_socket
    return None

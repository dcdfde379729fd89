"""Physical servers, and the included catalogue of them."""

import csv
import re
from collections.abc import Iterator, Mapping
from functools import cache

from ..base.arrays import added
from ..base.catalogue import MIB_PER_GIB, data_file
from ..base.lazy_dataclass import dataclass
from .cpu_names import cpu_key, generation_of
from .power_curves import LEVELS, PowerModel, Table

LEVEL_OF = {
    "servers.csv": "A",
    "server_medians.csv": "B",
    "servers_idle_max.csv": "B2",
    "servers_by_generation.csv": "C",
}
"""Files of the catalogue, and how well a curve in each stands for a server of that kind."""


@dataclass(frozen=True)
class Server:
    """One make and model, or what the published servers of one processor have in common.

    ``core_mhz`` is the nominal clock of a core; ``watts`` are SPECpower_ssj2008 readings at
    0, 10, …, 100 % load and ``ssj_ops`` the throughput at 10, …, 100 % (empty where unknown);
    ``available`` is when its hardware could be bought first, as SPEC has it (``Feb-2008``), and
    ``confidence`` is the mark of the source (V: verified in a primary data set).

    ``level`` is A for one measured server, B for medians over ``results`` servers of the same
    processor and sockets, B2 where only idle and full load are published, so that the curve
    between is estimated (:func:`curve_between`), C where nothing of the processor is published and
    all is estimated from the nearest of its generation. ``published_ops_per_w`` is SPEC's overall
    figure.
    """

    id: str
    vendor: str
    model: str
    cpu: str
    sockets: int
    cores: int
    threads: int
    core_mhz: float
    memory_mib: float
    watts: tuple[float, ...]
    ssj_ops: tuple[float, ...]
    published: str
    confidence: str
    source: str
    available: str = ""
    level: str = "A"
    results: int = 1
    full_ops: float | None = None
    published_ops_per_w: float | None = None

    @property
    def cpu_mhz(self) -> float:
        """Capacity of all cores together, in MHz."""
        return self.cores * self.core_mhz

    @property
    def power(self) -> PowerModel:
        """The measured curve."""
        return Table(self.watts)

    @property
    def overall_ops_per_w(self) -> float:
        """SPECpower's overall figure: sum of ssj_ops over sum of watts, active idle included.

        Where operations by load are not known it is the published figure, else that of a
        throughput which is proportional to load.
        """
        if self.ssj_ops:
            return added(self.ssj_ops) / added(self.watts)
        if self.published_ops_per_w is None and self.full_ops and self.watts:
            return 5.5 * self.full_ops / added(self.watts)
        return self.published_ops_per_w or 0.0

    @property
    def max_ops(self) -> float | None:
        """Operations per second at full load; None where unknown.

        Where only the overall figure E is published they are derived: throughput is proportional
        to load, so that E = 5.5 ops / sum of watts at 0, 10, …, 100 %.
        """
        if self.ssj_ops:
            return self.ssj_ops[-1]
        if self.full_ops is not None or not self.published_ops_per_w or not self.watts:
            return self.full_ops
        return self.published_ops_per_w * added(self.watts) / 5.5


class Catalogue(Mapping[str, Server]):
    """Servers by identifier; a file is read, and a server made, when it is asked for."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, dict[str, str]]] = {}
        self._made: dict[str, Server] = {}
        self._unread = list(LEVEL_OF)

    def __getitem__(self, key: str) -> Server:
        """Return the server of an identifier. Raises KeyError where there is none."""
        if key not in self._made:
            while key not in self._rows and self._unread:
                self._read()
            self._made[key] = _server(*self._rows[key])
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        """Return whether a server has this identifier."""
        while key not in self._rows and self._unread:
            self._read()
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        """Return all identifiers: measured servers first, then medians, by publication."""
        while self._unread:
            self._read()
        return iter(self._rows)

    def __len__(self) -> int:
        """Return the number of servers."""
        return sum(1 for _ in self)

    def _read(self) -> None:
        """Read the next file."""
        name = self._unread.pop(0)
        with data_file(name).open("r", encoding="utf-8") as handle:
            self._rows.update({row["id"]: (name, row) for row in csv.DictReader(handle)})


@cache
def servers() -> Mapping[str, Server]:
    """Return all servers by identifier: single servers, then medians, by their publication."""
    return Catalogue()


def _server(file: str, row: dict[str, str]) -> Server:
    """Return the server of one row of a file of the catalogue."""
    ops = [row.get(f"ops_{load}", "") for load in range(10, 101, 10)]
    if "w_50" in row:
        watts = tuple(float(row[f"w_{load}"]) for load in range(0, 101, 10))
    else:
        watts = curve_between(cpu_key(row["cpu"]), float(row["w_0"]), float(row["w_100"]))
    return Server(
        id=row["id"],
        vendor=row["vendor"],
        model=row["model"],
        cpu=row["cpu"],
        sockets=int(row["sockets"]),
        cores=int(row["cores"]),
        threads=int(row["threads"]),
        core_mhz=float(row["core_mhz"]),
        memory_mib=float(row["memory_gib"]) * MIB_PER_GIB,
        watts=watts,
        ssj_ops=tuple(map(float, ops)) if all(ops) else (),
        published=row["published"],
        confidence=row["confidence"],
        source=row["source"],
        available=row.get("available", ""),
        level=LEVEL_OF[file],
        results=int(row.get("results", 1)),
        full_ops=float(ops[-1]) if ops[-1] else None,
        published_ops_per_w=float(row["overall_ops_per_w"]) if row["overall_ops_per_w"] else None,
    )


@cache
def published_ops_per_w() -> dict[str, float]:
    """Return the overall ssj_ops per W as published, by server identifier."""
    return {
        name: each.published_ops_per_w
        for name, each in servers().items()
        if each.published_ops_per_w is not None
    }


@dataclass(frozen=True)
class Result:
    """One published SPECpower_ssj2008 result with its curve; ``cpu`` is the processor's key."""

    vendor: str
    model: str
    cpu: str
    published: str
    sockets: int
    cores: int
    core_mhz: float
    memory_gib: float
    watts: tuple[float, ...]
    max_ops: float
    mark: str

    @property
    def year(self) -> int:
        """Year of publication."""
        return int(self.published[:4])


@cache
def published_results() -> tuple[Result, ...]:
    """Return all published results with curves, by processor, sockets and publication."""
    with data_file("server_results.csv").open("r", encoding="utf-8") as handle:
        return tuple(
            Result(
                vendor=row["vendor"],
                model=row["model"],
                cpu=row["cpu"],
                published=row["published"],
                sockets=int(row["sockets"]),
                cores=int(row["cores"]),
                core_mhz=float(row["core_mhz"]),
                memory_gib=float(row["memory_gib"]),
                watts=tuple(float(row[f"w_{load}"]) for load in range(0, 101, 10)),
                max_ops=float(row["ops_100"]),
                mark=row["mark"],
            )
            for row in csv.DictReader(handle)
        )


def curve_between(cpu: str, idle_w: float, full_w: float) -> tuple[float, ...]:
    """Return an estimated curve in W at 0, 10, …, 100 % from its two ends.

    Its shape is that of the processor's generation: the median, at each load, of (watts - idle) /
    (full - idle) over the published results of that generation; where none has a curve, over those
    of the vendor's generation that is nearest in time, else over all of the last two years.
    """
    shape = _shape_of(cpu)
    return tuple(round(idle_w + (full_w - idle_w) * share, 1) for share in shape)


@cache
def _shape_of(cpu: str) -> tuple[float, ...]:
    """Return the shares of the rise from idle to full load at 0, 10, …, 100 %."""
    from statistics import median  # noqa: PLC0415  (few commands need it)

    wanted = generation_of(cpu)
    known = [(generation_of(each.cpu), each) for each in published_results()]
    chosen = [each for found, each in known if found is not None and found == wanted]
    if not chosen and wanted is not None:
        near = [each for each in known if each[0] is not None and each[0].vendor == wanted.vendor]
        gaps = [abs(each[0].year - wanted.year) for each in near if each[0] is not None]
        chosen = [each for (_, each), gap in zip(near, gaps, strict=True) if gap == min(gaps)]
    if not chosen:
        last = max(each.year for _, each in known)
        chosen = [each for _, each in known if each.year >= last - 1]
    return tuple(median(_rise(each, load) for each in chosen) for load in range(LEVELS))


def _rise(result: Result, load: int) -> float:
    """Return the share of the rise from idle to full load that a result has at a tenth of load."""
    idle_w, full_w = result.watts[0], result.watts[-1]
    return (result.watts[load] - idle_w) / (full_w - idle_w)


def found_servers(text: str) -> list[Server]:
    """Return the servers that a person's words name, sorted by identifier.

    Each word has to be in identifier, vendor, model or processor, in any order and case; ``2s`` is
    the number of sockets. Where no server has all words, those nearest in spelling are not guessed:
    the list is empty (see :func:`nearest_servers`).
    """
    words = re.findall(r"[a-z0-9.+]+", text.lower())
    if not words:
        return []
    return sorted(
        (each for each in servers().values() if all(word in _words_of(each.id) for word in words)),
        key=lambda each: each.id,
    )


@cache
def _words_of(identifier: str) -> str:
    """Return all that a search looks at of one server, in lower case."""
    each = servers()[identifier]
    shown = f"{each.id} {each.vendor} {each.model} {each.cpu} {each.sockets}s"
    return f"{shown} {shown.replace('_', ' ').replace('-', ' ')}".lower()


def nearest_servers(text: str, number: int = 5) -> list[Server]:
    """Return the servers nearest to a person's words, the nearest first.

    Those with most of the words come first, then those whose processor's number is nearest, as 6252
    is to 6248. Where no word fits, identifiers of similar spelling.
    """
    from difflib import get_close_matches  # noqa: PLC0415

    words = re.findall(r"[a-z0-9.+]+", text.lower())
    asked = next((int(found[0]) for word in words if (found := re.search(r"\d{4}", word))), None)

    def distance(each: Server) -> tuple[int, int]:
        missing = sum(word not in _words_of(each.id) for word in words)
        own = re.search(r"\d{4}", each.cpu)
        gap = 10_000 if asked is None or own is None else abs(int(own[0]) - asked)
        return missing, gap

    if words and any(distance(each)[0] < len(words) for each in servers().values()):
        return sorted(servers().values(), key=lambda each: (*distance(each), each.id))[:number]
    near = get_close_matches(text.lower(), list(servers()), n=number, cutoff=0.4)
    return [servers()[each] for each in near]


def find_server(text: str) -> Server:
    """Return the server of an identifier, or the only one that a search finds.

    ``epyc-9654-2s`` and ``9654 2s`` both find ``epyc_9654_2s``. Raises ValueError with the
    candidates where several, or none, are found.
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower().replace("+", " plus ")).strip("_")
    if text in servers() or name in servers():
        return servers()[text if text in servers() else name]
    found = found_servers(text)
    if len(found) == 1:
        return found[0]
    several = [each.id for each in found or nearest_servers(text)]
    listed = ", ".join(several[:8]) + (f" and {len(several) - 8} more" if several[8:] else "")
    if found:
        raise ValueError(f"{text!r} is {len(found)} servers of the catalogue: {listed}; name one")
    hint = f"nearest: {listed}" if several else "`farmsim catalog servers` lists all"
    raise ValueError(f"the catalogue has no server {text!r}; {hint}")

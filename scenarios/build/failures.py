"""Build the failures of a scenario.

Names of hosts, racks, switches and links become rows; each entry draws its own times.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...models.hardware.racks_and_sites import Domains
from ...models.hardware.reliability import Empirical, Times
from ...models.network.network import Network
from ...sim.failures import FailureSource, Outage
from ..errors.problems import refuse
from ..readers.chunks import read_chunks
from ..resolve.failure_domains import entities_of, low_availability, reduce_availability
from ..spec.failures import FailureEntry
from ..spec.scenario_data import ScenarioData
from ..traces.trace import InputFile

SCHEDULE = "schedule"
COLUMNS = ("failure_interval", "failure_duration")
MS_PER_S = 1e3


def failure_sources(
    scenario: ScenarioData, names: Sequence[str], domains: Domains, network: Network | None
) -> tuple[list[FailureSource], list[InputFile]]:
    """Return what fails, and the tables read for it.

    ``names`` and ``domains`` are those of the hosts in their order, ``network`` has the links
    (None: no move uses one). Raises InputError for tables, and if hosts would hardly ever be up.

    Sources of entries come first, in their order, then those of the schedule; ``rows`` of a source
    are hosts, or the two directions of a link. Tables have the columns of COLUMNS, as the failure
    traces of OpenDC have.
    """
    sources, files = [], []
    up = np.ones(len(names))
    for entry in scenario.failures.entries:
        entities = entities_of(entry.component, names, domains, network)
        chosen = entities.matching(entry.match)
        rows = [entities.rows[number] for number in chosen]
        if entry.table is None:
            to_failure, to_repair = _written(entry)
        else:
            to_failure, to_repair = read_failures(scenario.folder / entry.table, entry.table)
            files.append(InputFile.at(entry.table, scenario.folder / entry.table))
        if entry.component != "link":
            reduce_availability(up, rows, to_failure, to_repair)
        labels = [entities.labels[number] for number in chosen]
        sources.append(
            FailureSource(entry.name, entry.component, labels, rows, to_failure, to_repair)
        )
    message = low_availability(up)
    if message:
        raise refuse(scenario.name, message, "failures.entries")
    return [*sources, *_scheduled(scenario, names, domains, network)], files


def read_failures(path: Path, shown: str) -> tuple[Empirical, Empirical]:
    """Return times to failure and to repair, in s, from a table of milliseconds.

    ``shown`` is the path in messages. Raises InputError where a cell is no time of 0 ms or more, or
    no time to failure is above 0.
    """
    found: dict[str, list[float]] = {name: [] for name in COLUMNS}
    for chunk in read_chunks(path, shown, lambda header: _chosen(header, shown)):
        for name in COLUMNS:
            for index, text in enumerate(chunk.texts(name).to_pylist()):
                found[name].append(_seconds(text, chunk.place(index), name))
    intervals, durations = (tuple(found[name]) for name in COLUMNS)
    if not intervals or min(intervals) <= 0:
        raise refuse(shown, "has no time above 0; write the times of failures", COLUMNS[0])
    return Empirical(intervals), Empirical(durations)


def _chosen(header: Sequence[str], shown: str) -> list[str]:
    """Return the two columns to read. Raises InputError if the table lacks one."""
    for name in COLUMNS:
        if name not in header:
            wanted = " and ".join(COLUMNS)
            raise refuse(f"{shown}:1", f"has no column {name!r}; it needs {wanted}, in ms")
    return list(COLUMNS)


def _seconds(text: str, place: str, name: str) -> float:
    """Return a cell of milliseconds in seconds. Raises InputError with its place."""
    try:
        value = float(text) / MS_PER_S
    except (TypeError, ValueError):
        value = -1.0
    if not 0 <= value < np.inf:
        raise refuse(place, f"{text!r} is not a time; write milliseconds, 0 or more", name)
    return value


def _written(entry: FailureEntry) -> tuple[Times, Times]:
    """Return the times of an entry without a table; the spec makes sure that both are given."""
    assert entry.time_to_failure is not None
    assert entry.repair is not None
    return entry.time_to_failure, entry.repair


def _scheduled(
    scenario: ScenarioData, names: Sequence[str], domains: Domains, network: Network | None
) -> list[FailureSource]:
    """Return one source per kind of thing that fails at known times.

    An outage without an end lasts longer than any run.
    """
    sources = []
    for kind in dict.fromkeys(outage.component for outage in scenario.failures.schedule):
        entities = entities_of(kind, names, domains, network)
        outages = [
            Outage(outage.at, number, np.inf if outage.duration is None else outage.duration)
            for outage in scenario.failures.schedule
            if outage.component == kind
            for number in entities.matching(outage.match)
        ]
        sources.append(
            FailureSource(SCHEDULE, kind, entities.labels, entities.rows, schedule=outages)
        )
    return sources

"""Check the failures of a scenario against its components.

Names are looked up among hosts, racks, sites, switches and links; the network is laid out only
where links are named.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...models.network.network import Network
from ..language.fields import Fault
from ..language.units import write
from ..resolve.failure_domains import Entities, entities_of, low_availability, reduce_availability
from ..resolve.farm import host_names, numbering
from ..resolve.migration import may_use_network
from ..resolve.network import network_of
from ..resolve.racks import build_domains
from ..spec.failures import FailuresPart
from ..spec.spec import Spec

SHORTEST_S = 1.0
"""Nothing fails more often than this, on average."""


def faults_of_failures(spec: Spec) -> Iterator[Fault]:
    """Yield names of nothing, times outside the run, and rates that leave no host working.

    The first name of nothing ends the search: what follows would be told of wrong rows.

    Nothing is checked where nothing fails. The availability of hosts is estimated from the means of
    the entries; a table of observed failures is read later, when the run is built, and is checked
    there.
    """
    part = spec.failures
    if not (part.entries or part.schedule):
        return
    names = host_names(spec.farm)
    known = _Known(spec, names)
    for where, index, match in _matches(part):
        kind = getattr(part, where)[index].component
        try:
            known.of(kind).matching(match)
        except ValueError as error:
            yield ("failures", where, index, "match"), str(error)
            return
    yield from _outside_the_run(spec)
    wrong = list(_too_often(part))
    yield from wrong
    if wrong:
        return
    up = np.ones(len(names))
    for entry in part.entries:
        if entry.component != "link" and entry.time_to_failure and entry.repair:
            entities = known.of(entry.component)
            rows = [entities.rows[number] for number in entities.matching(entry.match)]
            reduce_availability(up, rows, entry.time_to_failure, entry.repair)
    message = low_availability(up)
    if message:
        yield ("failures", "entries"), message


class _Known:
    """Components by kind, looked up once.

    ``names`` are the hosts in the order of the farm. The network is built for links only and at
    most once, since a large layout is costly.
    """

    def __init__(self, spec: Spec, names: Sequence[str]) -> None:
        self._spec, self._names = spec, names
        self._domains = build_domains(spec.farm, spec.network.topology)
        self._found: dict[str, Entities] = {}

    def of(self, kind: str) -> Entities:
        """Return what there is of a kind. Raises ValueError where there are no links."""
        if kind not in self._found:
            network = self._network() if kind == "link" else None
            self._found[kind] = entities_of(kind, self._names, self._domains, network)
        return self._found[kind]

    def _network(self) -> Network | None:
        """Return the network of the scenario, None where no migration uses one."""
        if not may_use_network(self._spec):
            return None
        farm = self._spec.farm
        group = numbering(np.array([each.count for each in farm.hosts]), farm.order)
        groups = [farm.hosts[row].name for row in group.tolist()]
        per_rack = self._spec.farm.hosts_per_rack
        return network_of(self._spec.network.topology, list(self._names), groups, per_rack)


def _matches(part: FailuresPart) -> Iterator[tuple[str, int, Sequence[str]]]:
    """Yield part, index and patterns of all that names what fails."""
    for index, entry in enumerate(part.entries):
        yield "entries", index, entry.match
    for index, outage in enumerate(part.schedule):
        yield "schedule", index, outage.match


def _outside_the_run(spec: Spec) -> Iterator[Fault]:
    """Yield planned outages before the run begins or after it has ended.

    An outage at the very end of the run counts as after it: nothing would follow it.
    """
    end_s = spec.run.duration
    for index, outage in enumerate(spec.failures.schedule):
        at = write(outage.at, "time")
        if outage.at < 0:
            message = f"is {at}, before the run begins; write a time of 0 s or later"
        elif outage.at >= end_s:
            message = (
                f"is {at}, when the run of {write(end_s, 'time')} has ended; write an earlier time "
                "or lengthen run.duration"
            )
        else:
            continue
        yield ("failures", "schedule", index, "at"), message


def _too_often(part: FailuresPart) -> Iterator[Fault]:
    """Yield entries whose mean time to failure is below SHORTEST_S.

    The limit keeps a unit that was mistaken (ms for s) from filling the event queue.
    """
    for index, entry in enumerate(part.entries):
        times = entry.time_to_failure
        if times is not None and times.mean < SHORTEST_S:
            message = f"is {times.mean:g} s on average; write a mean of {SHORTEST_S:g} s or more"
            yield ("failures", "entries", index, "time_to_failure"), message

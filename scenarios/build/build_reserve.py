"""The reserve of a scenario: names become rows, and one larger than the farm is refused."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from math import comb

import numpy as np

from ...models.base.arrays import Bools
from ...models.rules.reserve import Reserve
from ..errors.suggest import unknown_name
from ..language.fields import Fault
from ..resolve.farm import host_names
from ..spec.reserve import FailingHosts, StandbyHosts
from ..spec.spec import Spec

MOST_SETS = 10_000
"""Sets of hosts whose failure is tried VM by VM at each decision."""


def build_reserve(spec: Spec) -> Reserve | None:
    """Return what is kept free, None if nothing is."""
    part = spec.policies.reserve
    if part is None:
        return None
    if isinstance(part, FailingHosts):
        return Reserve(hosts=part.hosts, packing=part.check == "packing")
    if isinstance(part, StandbyHosts):
        return Reserve(standby=_named(part.hosts, host_names(spec.farm)))
    return Reserve(memory_share=part.memory, cpu_share=part.cpu)


def faults_of_reserve(spec: Spec) -> Iterator[Fault]:
    """Yield what is wrong with a reserve, given the hosts of the farm."""
    part, place = spec.policies.reserve, ("policies", "reserve", "hosts")
    hosts = sum(group.count for group in spec.farm.hosts)
    if isinstance(part, FailingHosts):
        yield from _faults_of_count(part, hosts)
    if not isinstance(part, StandbyHosts):
        return
    names = host_names(spec.farm)
    for index, pattern in enumerate(part.hosts):
        if not _named([pattern], names).any():
            yield (*place, index), unknown_name("host", pattern, names)
    if _named(part.hosts, names).all():
        yield place, f"a reserve of all {hosts} hosts is larger than the farm; name fewer"


def _faults_of_count(part: FailingHosts, hosts: int) -> Iterator[Fault]:
    place = ("policies", "reserve")
    if part.hosts >= hosts:
        most = (
            f"keep at most {hosts - 1}" if hosts > 1 else "one host alone keeps none: leave it out"
        )
        message = (
            f"a reserve of {part.hosts} hosts is larger than the farm, which has {hosts}; {most}"
        )
        yield (*place, "hosts"), message
    elif part.check == "packing" and comb(hosts, part.hosts) > MOST_SETS:
        message = (
            f"{comb(hosts, part.hosts):,} sets of {part.hosts} hosts would be packed at each "
            f"decision, more than {MOST_SETS:,}; take check: sum"
        )
        yield (*place, "check"), message


def _named(patterns: Sequence[str], names: Sequence[str]) -> Bools:
    return np.array(
        [any(fnmatchcase(name, pattern) for pattern in patterns) for name in names], bool
    )

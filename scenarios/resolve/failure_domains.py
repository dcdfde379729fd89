"""Resolve names of hosts, racks, sites, switches and links.

Used twice: to check names before a run, and to make what the run plays.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.hardware.racks_and_sites import Domains, without_zeros
from ...models.hardware.reliability import Times, availability
from ...models.network.network import Network
from ..errors.suggest import unknown_name

MIN_AVAILABILITY = 0.01
"""Hosts that are up for less than this share of the time are taken for a slip of the pen."""


@dataclass(frozen=True)
class Entities:
    """Things that can fail, of one kind: a label and rows each; a thing may go by several names.

    ``rows`` are hosts, or the two directions of a link; ``aliases`` the names that patterns are
    held against, such as a label without leading zeros.
    """

    kind: str
    labels: Sequence[str]
    rows: Sequence[Ints]
    aliases: Sequence[Sequence[str]]

    def matching(self, patterns: Sequence[str]) -> list[int]:
        """Return those that any pattern names. Raises ValueError for one that names none."""
        found: set[int] = set()
        for pattern in patterns:
            hits = [
                number
                for number, names in enumerate(self.aliases)
                if any(fnmatchcase(name, pattern) for name in names)
            ]
            if not hits:
                raise ValueError(unknown_name(self.kind, pattern, self.labels))
            found.update(hits)
        return sorted(found)


def entities_of(
    kind: str, names: Sequence[str], domains: Domains, network: Network | None
) -> Entities:
    """Return what there is of a kind, with the hosts of each, or the rows of each link.

    Raises ValueError where there are no links.

    ``names`` are the hosts in the order of the farm. A switch has the hosts of its rack, which are
    cut off when it fails. Labels may be written without leading zeros.
    """
    if kind == "link":
        return _links(network)
    if kind == "host":
        labels, rows = list(names), [np.array([row]) for row in range(len(names))]
    else:
        level = "rack" if kind == "switch" else kind
        labels = list(domains.rack_names if level == "rack" else domains.site_names)
        of_host = domains.of(level)
        rows = [np.flatnonzero(of_host == number) for number in range(len(labels))]
    return Entities(kind, labels, rows, [(label, without_zeros(label)) for label in labels])


def _links(network: Network | None) -> Entities:
    """Return the links of a network, each once for both directions. Raises ValueError."""
    if network is None:
        raise ValueError(
            "there are no links because the migration model uses no network; set migration.model: "
            "pre_copy, or let a switch fail"
        )
    labels, rows, aliases = [], [], []
    for row, back in enumerate(network.reverse.tolist()):
        if back < row:
            continue
        one, other = network.names[row].replace(" > ", " - ").split(" - ", 1)
        labels.append(f"{one} - {other}")
        rows.append(np.unique(np.array([row, back])))
        aliases.append((f"{one} - {other}", f"{other} - {one}"))
    return Entities("link", labels, rows, aliases)


def reduce_availability(
    up: Floats, rows: Sequence[Ints], to_failure: Times, to_repair: Times
) -> None:
    """Multiply the share of time that hosts are up by that of one entry, in place."""
    share = availability(to_failure.mean, to_repair.mean)
    for hosts in rows:
        up[hosts] *= share


def low_availability(up: Floats) -> str:
    """Say that hosts are hardly ever up; nothing where they are.

    ``up`` (hosts,) are shares of time. The estimate is the product over entries: failures are taken
    as independent.
    """
    share = float(up.mean())
    if share >= MIN_AVAILABILITY:
        return ""
    return (
        f"hosts would be available for only {100 * share:.2g} % of the time (mean time to failure "
        "over the sum of it and the mean repair time); make failures rarer or repairs faster"
    )

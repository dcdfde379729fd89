"""Tell VMs apart, and find the VM that a row of another table is about.

The strongest that a file states identifies a VM: its UUID, its ID within the management server,
its name with cluster and host, or its name alone. Equal ones are kept apart, never merged.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

from ...models.base.lazy_dataclass import dataclass
from .findings import Finding, Severity

KINDS = ("vm_uuid", "vm_id", "name_cluster_host", "name")
"""What can identify a VM, the strongest first."""


@dataclass(frozen=True)
class VmIds:
    """What one row states of which VM it is about. ``server`` is that of the management."""

    name: str
    cluster: str | None = None
    host: str | None = None
    vm_id: str | None = None
    vm_uuid: str | None = None
    server: str | None = None
    server_uuid: str | None = None

    def by(self, kind: str) -> tuple[str | None, ...] | None:
        """Return what identifies the VM in one way; None if the row does not state it."""
        if kind == "vm_uuid":
            return (self.server_uuid, self.vm_uuid.lower()) if self.vm_uuid else None
        if kind == "vm_id":
            return (self.server_uuid or self.server, self.vm_id) if self.vm_id else None
        if kind == "name_cluster_host":
            placed = self.cluster is not None or self.host is not None
            return (self.name, self.cluster, self.host) if placed else None
        return (self.name,)


class Identities:
    """The VMs of an inventory by what identifies them.

    Parameters
    ----------
    ids
        One per VM.
    rows
        Where each VM stands, for findings.
    """

    def __init__(self, ids: Sequence[VmIds], rows: Sequence[str] = ()) -> None:
        self._ids, self._rows = ids, rows
        self._places: dict[str, dict[tuple[str | None, ...], list[int]]] = {}
        for kind in KINDS:
            found: dict[tuple[str | None, ...], list[int]] = {}
            for at, each in enumerate(ids):
                identity = each.by(kind)
                if identity is not None:
                    found.setdefault(identity, []).append(at)
            self._places[kind] = found

    @cached_property
    def identity(self) -> str:
        """The strongest kind that at least half of the VMs state."""
        half = len(self._ids) / 2
        return next(
            (
                kind
                for kind in KINDS
                if sum(map(len, self._places[kind].values())) >= half and self._ids
            ),
            "name",
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all VMs."""
        return frozenset(each.name for each in self._ids)

    def source_id(self, at: int) -> str | None:
        """Return the UUID or ID of a VM with that of its server, which hold beyond one file."""
        for kind in KINDS[:2]:
            identity = self._ids[at].by(kind)
            if identity is not None:
                return "/".join(part for part in identity if part)
        return None

    def keys(self) -> list[str]:
        """Return a name per VM that no other one has: its own, or with what tells it apart."""
        names = Counter(each.name for each in self._ids)
        taken = {name for name, count in names.items() if count == 1}
        keys = []
        for at, each in enumerate(self._ids):
            if names[each.name] == 1:
                keys.append(each.name)
                continue
            free = (key for key in self._longer(at) if key not in taken)
            keys.append(next(free))
            taken.add(keys[-1])
        return keys

    def find(self, ids: VmIds) -> int | None:
        """Return the row of the VM that a row of another table is about; None if unknown.

        The strongest that both state decides, if only one VM has it.
        """
        for kind in KINDS:
            identity = ids.by(kind)
            found = self._places[kind].get(identity, ()) if identity is not None else ()
            if len(found) == 1:
                return found[0]
        return None

    def findings(self) -> Iterator[Finding]:
        """Yield what is said of UUIDs and names that several VMs have."""
        for identity, rows in self._places["vm_uuid"].items():
            if len(rows) > 1:
                names = ", ".join(sorted({self._ids[at].name for at in rows}))
                yield Finding(
                    "VM_UUID_NOT_UNIQUE",
                    Severity.WARNING,
                    self._where(rows),
                    f"UUID {identity[1]} stands in {len(rows)} rows: {names}",
                    "each row counts as a VM of its own; delete those that are copies",
                    tuple(self._ids[at].name for at in rows),
                )
        for names_of, rows in self._places["name"].items():
            if len(rows) > 1:
                told = self._told_apart(rows)
                yield Finding(
                    "VM_NAME_NOT_UNIQUE",
                    Severity.INFO if told != "row" else Severity.WARNING,
                    self._where(rows),
                    f"{names_of[0]} is the name of {len(rows)} VMs, told apart by {told}",
                    "load is joined by name: it must say which one is meant",
                    (str(names_of[0]),),
                )

    def _longer(self, at: int) -> Iterator[str]:
        """Yield names for a VM whose name others have too, the shortest first."""
        each = self._ids[at]
        places = [place for place in (each.cluster, each.host) if place]
        alike = [other for other in self._alike(each.name) if other is not each]
        if each.cluster and all(other.cluster != each.cluster for other in alike):
            yield f"{each.name} ({each.cluster})"
        if places and all((each.cluster, each.host) != (o.cluster, o.host) for o in alike):
            yield f"{each.name} ({', '.join(places)})"
        for identity in (each.vm_id, each.vm_uuid):
            if identity:
                yield f"{each.name} ({identity})"
        number = 1
        while True:
            yield f"{each.name} #{number}"
            number += 1

    def _alike(self, name: str) -> list[VmIds]:
        """Return the VMs of one name."""
        return [self._ids[at] for at in self._places["name"][name,]]

    def _told_apart(self, rows: Sequence[int]) -> str:
        """Return what differs between VMs of one name: the strongest, ``row`` if nothing does."""
        words = ("UUID", "ID", "cluster and host")
        for kind, word in zip(KINDS, words, strict=False):
            identities = [self._ids[at].by(kind) for at in rows]
            if None not in identities and len(set(identities)) == len(rows):
                return word
        return "row"

    def _where(self, rows: Sequence[int]) -> str:
        """Return where the first of some VMs stands."""
        return self._rows[rows[0]] if self._rows else self._ids[rows[0]].name

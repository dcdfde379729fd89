"""Merge what several files say: one farm at several instants, inventory and use, several parts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Host, Inventory, Snapshot, Vm
from ..inventory.same_farm import overlap
from ..inventory.scope import is_on

_MEANS: Final = ("cpu_used_mhz", "cpu_share", "memory_active_mib", "memory_consumed_mib")

T = TypeVar("T", Host, Vm)


@dataclass(frozen=True)
class _Match:
    """How objects of one inventory are found in another: by id, else by name and cluster."""

    by_id: dict[str, int]
    by_place: dict[tuple[str, str], int]
    by_name: dict[str, int]

    @classmethod
    def of(cls, objects: Sequence[Host | Vm]) -> "_Match":
        """Index objects; a name or an id that several have finds none of them."""
        ids = [each.source_id or "" for each in objects]
        places = [(each.name, each.cluster or "") for each in objects]
        names = [each.name for each in objects]
        return cls(_single(ids), _single(places), _single(names))

    def row(self, other: Host | Vm) -> int | None:
        """Return the row of an object of another file, or None."""
        if other.source_id and (row := self.by_id.get(other.source_id)) is not None:
            return row
        row = self.by_place.get((other.name, other.cluster or ""))
        return self.by_name.get(other.name) if row is None else row


Key = TypeVar("Key")


def _single(keys: Sequence[Key]) -> dict[Key, int]:
    """Return the rows of the keys that occur once."""
    counts = Counter(keys)
    return {key: row for row, key in enumerate(keys) if key and counts[key] == 1}


def merge(parts: Sequence[Inventory]) -> Inventory:
    """Return one inventory of what several files say. The parts are used up.

    Inventories of the same kind that share most hosts are snapshots of one farm: the latest tells
    what there is, use is the mean of all. Others that share objects complete each other; what the
    first that has it says counts. Inventories without a common object are put side by side, and a
    finding says so.
    """
    parts, twice = _different(parts)
    if not parts:
        return Inventory(findings=twice)
    groups = _snapshot_groups([each for each in parts if each.hosts or each.vms])
    whole = [_joined_snapshots(group) for group in groups]
    series_only = [each for each in parts if not (each.hosts or each.vms)]
    first, *others = sorted(whole, key=_detail, reverse=True) or [Inventory()]
    for other in (*others, *series_only):
        _add(first, other)
    first.findings[:0] = twice
    first.sources.sort(key=lambda source: source.file)
    return first


def _different(parts: Sequence[Inventory]) -> tuple[list[Inventory], list[Finding]]:
    """Leave out inventories whose files were all given before, and tell of them."""
    seen: set[str] = set()
    kept, findings = [], []
    for part in parts:
        hashes = {source.sha256 for source in part.sources}
        if hashes and hashes <= seen:
            names = ", ".join(source.file for source in part.sources)
            findings.append(
                Finding(
                    "FILE_GIVEN_TWICE",
                    Severity.INFO,
                    names,
                    "has the same content as a file that was read before",
                    "it is counted once",
                )
            )
            continue
        seen |= hashes
        kept.append(part)
    return kept, findings


def _detail(part: Inventory) -> tuple[int, int, int]:
    """Return how much an inventory says: hosts, then VMs of known size, then VMs."""
    sized = sum(1 for vm in part.vms if vm.vcpus and vm.memory_mib)
    return len(part.hosts), sized, len(part.vms)


def _kind(part: Inventory) -> str:
    """Return the format of an inventory, whatever its dialect."""
    return part.sources[0].format if part.sources else ""


def _snapshot_groups(parts: Sequence[Inventory]) -> list[list[Inventory]]:
    """Return inventories of one kind that are of the same farm, together."""
    groups: list[list[Inventory]] = []
    for part in parts:
        for group in groups:
            if _kind(part) == _kind(group[0]) and overlap(part, group[0]).same_farm:
                group.append(part)
                break
        else:
            groups.append([part])
    return groups


def taken(part: Inventory) -> datetime | None:
    """Return when an inventory was made, with a time zone; None where no file says so."""
    times = [source.taken for source in part.sources if source.taken is not None]
    aware = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in times]
    return max(aware, default=None)


def _joined_snapshots(group: list[Inventory]) -> Inventory:
    """Return snapshots as one inventory: the latest, with the mean use of all."""
    if len(group) == 1:
        part = group[0]
        if not part.snapshots and (part.hosts or part.vms):
            part.snapshots.append(_snapshot(part))
        return part
    oldest = datetime.min.replace(tzinfo=UTC)
    group = sorted(group, key=lambda part: taken(part) or oldest)
    latest, earlier = group[-1], group[:-1]
    findings = [_told(group)]
    times = [taken(part) for part in group]
    if None in times or len(set(times)) < len(times):
        findings.append(
            Finding(
                "SNAPSHOT_TIME_UNKNOWN",
                Severity.WARNING,
                ", ".join(source.file for part in group for source in part.sources),
                f"{len(group)} snapshots of one farm do not all say when they were made, or two "
                "say the same",
                "the last one given counts as the latest; use over the day cannot be told",
            )
        )
    latest.snapshots[:] = [_snapshot(part) for part in group]
    gone = _mean_use(latest.vms, [part.vms for part in earlier])
    _mean_use(latest.hosts, [part.hosts for part in earlier])
    if gone:
        findings.append(
            Finding(
                "VM_GONE",
                Severity.INFO,
                "all snapshots",
                f"{gone:,} VMs of earlier snapshots are not in the latest one",
                "they are not in the plan",
            )
        )
    latest.sources[:0] = [source for part in earlier for source in part.sources]
    latest.series[:0] = [series for part in earlier for series in part.series]
    latest.findings[:0] = findings
    return latest


def _told(group: Sequence[Inventory]) -> Finding:
    """Tell how many snapshots were joined."""
    files = ", ".join(source.file for part in group for source in part.sources)
    return Finding(
        "SNAPSHOTS_JOINED",
        Severity.INFO,
        files,
        f"{len(group)} snapshots of one farm were joined",
        "sizes and hosts are those of the latest; CPU and memory in use are the mean of all",
    )


def _snapshot(part: Inventory) -> Snapshot:
    """Return the sums of an inventory at its instant."""
    running = [vm for vm in part.vms if not vm.template and is_on(vm)]
    by_vm = [vm.cpu_used_mhz for vm in running if vm.cpu_used_mhz is not None]
    by_host = [host.cpu_used_mhz for host in part.hosts if host.cpu_used_mhz is not None]
    return Snapshot(
        taken=taken(part),
        file=", ".join(source.file for source in part.sources),
        vms=len(running),
        vm_cpu_mhz=added(by_vm) if by_vm else None,
        host_cpu_mhz=added(by_host) if by_host else None,
    )


def _mean_use(latest: list[T], earlier: Sequence[Sequence[T]]) -> int:
    """Put the mean use of all snapshots into the objects of the latest one.

    Snapshots that do not know an object do not count for it. Return how many objects of the earlier
    ones are in the latest no more.
    """
    match = _Match.of(latest)
    seen: list[list[T]] = [[each] for each in latest]
    gone: set[str] = set()
    for objects in earlier:
        for each in objects:
            row = match.row(each)
            if row is None:
                gone.add(each.source_id or each.name)
            else:
                seen[row].append(each)
    names = [name for name in _MEANS if hasattr(latest[0], name)] if latest else []
    if latest and isinstance(latest[0], Host):
        names.append("memory_used_mib")
    for row, versions in enumerate(seen):
        if len(versions) > 1:
            means: dict[str, Any] = {
                name: _mean(getattr(each, name) for each in versions) for name in names
            }
            latest[row] = replace(latest[row], **means)
    return len(gone)


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known, None where nothing is."""
    known = [value for value in values if value is not None]
    return added(known) / len(known) if known else None


def _add(first: Inventory, other: Inventory) -> None:
    """Complete an inventory by another one, or put it beside it where they share nothing."""
    common = overlap(first, other)
    if common.same_farm is not None and not common.hosts[2] + common.vms[2]:
        first.findings.append(_strangers(first, other))
    _complete(first.hosts, other.hosts)
    unclear = _complete(first.vms, other.vms)
    if unclear:
        first.findings.append(_unclear(other, unclear))
    names = {cluster.name for cluster in first.clusters}
    first.clusters += [each for each in other.clusters if each.name not in names]
    rules = {(rule.kind, rule.name) for rule in first.rules}
    first.rules += [each for each in other.rules if (each.kind, each.name) not in rules]
    first.series += other.series
    first.sources += other.sources
    first.findings += other.findings
    first.snapshots += other.snapshots if not first.snapshots else []


def _strangers(first: Inventory, other: Inventory) -> Finding:
    """Tell of two inventories that have no host and no VM in common."""
    here = ", ".join(source.file for source in first.sources)
    there = ", ".join(source.file for source in other.sources)
    return Finding(
        "FILES_SHARE_NOTHING",
        Severity.WARNING,
        there,
        f"no host and no VM of {there} is in {here}",
        "all are planned as one farm; import two farms each by itself, and look whether names "
        "are written differently in these files",
    )


def _unclear(other: Inventory, names: Sequence[str]) -> Finding:
    """Tell of objects of which a file does not say which of several of one name they are."""
    return Finding(
        "NAME_AMBIGUOUS",
        Severity.WARNING,
        ", ".join(source.file for source in other.sources),
        f"several VMs are called {', '.join(names[:5])}{' …' if len(names) > 5 else ''}, and it "
        "does not say which of them it means",
        "what it says of this name is not used",
        tuple(names),
    )


def _complete(mine: list[T], others: Sequence[T]) -> list[str]:
    """Fill what is unknown of objects from another file, and add those that are new.

    Return the names that several objects have and of which the other file does not say which it
    means: what it says of them is left out. A host that is out of service in one file is so.
    """
    match, new = _Match.of(mine), []
    names, unclear = {each.name for each in mine}, []
    for other in others:
        row = match.row(other)
        if row is None:
            if other.name in names and not (_placed(other) or other.source_id):
                unclear.append(other.name)
            else:
                new.append(other)
            continue
        known = {
            each.name: getattr(other, each.name)
            for each in fields(other)
            if getattr(mine[row], each.name) is None and getattr(other, each.name) is not None
        }
        if isinstance(other, Host) and not other.in_service:
            known["in_service"] = False
        if known:
            mine[row] = replace(mine[row], **known)
    mine += _with_own_keys(mine, new)
    return unclear


def _placed(each: Host | Vm) -> bool:
    """Whether an object states its cluster, or the host that it is on."""
    return bool(each.cluster or (isinstance(each, Vm) and each.host))


def _with_own_keys(mine: Sequence[T], new: list[T]) -> list[T]:
    """Return new objects; a VM whose key is taken gets another one."""
    taken_keys = {each.key for each in mine if isinstance(each, Vm)}
    result: list[T] = []
    for each in new:
        own = each
        if isinstance(own, Vm):
            key, number = own.key, 2
            while key in taken_keys:
                key, number = f"{own.key}#{number}", number + 1
            taken_keys.add(key)
            changes: dict[str, Any] = {"key": key}
            own = replace(own, **changes)
        result.append(own)
    return result


def unmatched_series(inventory: Inventory) -> list[Finding]:
    """Tell of series whose object is no host, VM or cluster of the inventory."""
    known: dict[str, set[str]] = {
        "vm": {vm.name for vm in inventory.vms} | {vm.key for vm in inventory.vms},
        "host": {host.name for host in inventory.hosts},
        "cluster": {host.cluster or "" for host in inventory.hosts}
        | {cluster.name for cluster in inventory.clusters},
    }
    missing: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for series in inventory.series:
        if series.object not in known.get(series.kind, set()):
            missing[series.kind][series.object] = series
    return [
        Finding(
            "SERIES_WITHOUT_OBJECT",
            Severity.WARNING,
            "series",
            f"{len(names):,} objects have measured values but no row in an inventory: "
            f"{', '.join(sorted(names)[:5])}{' …' if len(names) > 5 else ''}",
            "their values are not used; names must be the same in both files",
            tuple(sorted(names)),
        )
        for kind, names in sorted(missing.items())
    ]

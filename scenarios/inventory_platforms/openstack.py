"""OpenStack Placement: inventories and usages of resource providers, as JSON.

``capacity = (total - reserved) x allocation_ratio`` for each resource class [OpenStack Placement,
Inventory]. Providers below a host (NUMA cells, GPUs) count for its root. ``total`` of VCPU and PCPU
counts threads that the operating system sees; cores are not stated.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Host, Inventory
from ..inventory_files.columns import ReadOptions
from ..inventory_files.json_values import JsonValues, Record, records
from ..inventory_files.sheets import InputFile
from ..inventory_files.sources import begun

NAME: Final = "OpenStack Placement"
_STATED: Final = {"VCPU": "vcpu", "PCPU": "pcpu", "MEMORY_MB": "memory", "DISK_GB": "disk"}
_SUFFIX: Final = {"MEMORY_MB": "_mib", "DISK_GB": "_gib"}


@dataclass(frozen=True)
class _Amount:
    """One resource class of one provider, or of a tree of them. Shares add up."""

    total: float
    reserved: float
    capacity: float

    def plus(self, other: "_Amount") -> "_Amount":
        """Return both together."""
        return _Amount(
            self.total + other.total,
            self.reserved + other.reserved,
            self.capacity + other.capacity,
        )


@dataclass(frozen=True)
class _Provider:
    """One resource provider; ``used`` is None where no file states usages."""

    name: str
    uuid: str | None
    parent: str | None
    where: str
    amounts: dict[str, _Amount]
    used: dict[str, float] | None


def _by_class(content: object) -> dict[str, Record]:
    """Return the inventories of a provider by class, of the list or the map form."""
    if isinstance(content, dict):
        return {name: each for name, each in content.items() if isinstance(each, dict)}
    listed = records(content)
    return {each["resource_class"]: each for each in listed if _is_inventory(each)}


def _is_inventory(record: Record) -> bool:
    """Whether a record is one of the list form of inventories."""
    return isinstance(record.get("resource_class"), str) and "allocation_ratio" in record


def _providers_in(content: object) -> list[Record]:
    """Return the records of providers in a JSON content, none if it is not of this format."""
    if isinstance(content, dict):
        for key in ("providers", "resource_providers"):
            found = [each for each in records(content.get(key)) if "inventories" in each]
            if found:
                return found
        if isinstance(content.get("inventories"), dict | list) and _by_class(
            content["inventories"]
        ):
            return [content]
        return []
    listed = records(content)
    if listed and all(map(_is_inventory, listed)):
        return [{"inventories": content}]
    return [each for each in listed if "inventories" in each and "uuid" in each]


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the files of Placement, as one group."""
    found = [file for file in files if file.kind == "json" and _providers_in(file.json())]
    return [found] if found else []


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:  # noqa: ARG001
    """Return the hosts that Placement knows; it knows no VMs."""
    inventory = begun(group, NAME, experimental=True)
    providers: list[_Provider] = []
    for file in group:
        values = JsonValues(file.name)
        for at, record in enumerate(_providers_in(file.json()), 1):
            providers.append(_provider(record, values, f"provider {at}", _stem(file)))
        inventory.findings += values.findings()
    for root, tree in _trees(providers):
        host = _host(root, tree)
        if host is None:
            inventory.findings.append(_without_cpu(root))
        else:
            inventory.hosts.append(host)
            inventory.findings += _overcommitted(root, tree)
    inventory.findings += _told_of(inventory)
    return inventory


def _stem(file: InputFile) -> str:
    """Return the name of a file without folder and ending."""
    return re.split(r"[/\\]", file.name)[-1].rpartition(".")[0] or file.name


def _provider(record: Record, values: JsonValues, where: str, stem: str) -> _Provider:
    """Return a provider of its record; ``stem`` is its name where it states none."""
    name = values.text(record, "name", where)
    uuid = values.text(record, "uuid", where)
    amounts = {}
    for resource, each in _by_class(record["inventories"]).items():
        at = f"{where}, {resource}"
        total = values.number(each, "total", at)
        ratio = values.number(each, "allocation_ratio", at, 1e6)
        reserved = values.number(each, "reserved", at)
        if total is None or ratio is None:
            continue
        held = min(reserved or 0.0, total)
        amounts[resource] = _Amount(total, held, (total - held) * ratio)
    return _Provider(
        name or uuid or stem,
        uuid,
        values.text(record, "parent_provider_uuid", where),
        f"{values.file}, {where}",
        amounts,
        _usages(record, values, where),
    )


def _usages(record: Record, values: JsonValues, where: str) -> dict[str, float] | None:
    """Return what is used of each class, of the list or the map form; None if not stated."""
    stated = record.get("usages")
    if isinstance(stated, list):
        stated = {
            each["resource_class"]: each.get("usage")
            for each in records(stated)
            if isinstance(each.get("resource_class"), str)
        }
    if not isinstance(stated, dict):
        return None
    found = {name: values.number(stated, name, f"{where}, usages") for name in stated}
    return {name: value for name, value in found.items() if value is not None}


def _trees(providers: Sequence[_Provider]) -> Iterator[tuple[_Provider, list[_Provider]]]:
    """Yield each root with all providers of its tree; one whose parent is absent is a root."""
    by_uuid: dict[str | None, _Provider] = {each.uuid: each for each in providers if each.uuid}
    trees: dict[int, list[_Provider]] = {}
    roots: dict[int, _Provider] = {}
    for each in providers:
        root = _root(each, by_uuid)
        roots[id(root)] = root
        trees.setdefault(id(root), []).append(each)
    for number, root in roots.items():
        yield root, trees[number]


def _root(provider: _Provider, by_uuid: Mapping[str | None, _Provider]) -> _Provider:
    """Return the root of a provider; of providers that are each other's parents, one of them."""
    passed = {id(provider)}
    while provider.parent in by_uuid:
        above = by_uuid[provider.parent]
        if id(above) in passed:
            break
        passed.add(id(above))
        provider = above
    return provider


def _host(root: _Provider, tree: Sequence[_Provider]) -> Host | None:
    """Return a host of its tree of providers; None if it has no CPUs, as shared storage."""
    sums: dict[str, _Amount] = {}
    for each in tree:
        for resource, amount in each.amounts.items():
            sums[resource] = sums[resource].plus(amount) if resource in sums else amount
    threads = added(sums[name].total for name in ("VCPU", "PCPU") if name in sums)
    if not threads:
        return None
    usages = [each.used for each in tree if each.used is not None]
    stated: dict[str, float] = {}
    for resource, word in _STATED.items():
        if resource not in sums:
            continue
        suffix = _SUFFIX.get(resource, "")
        stated[f"{word}_capacity{suffix}"] = sums[resource].capacity
        stated[f"{word}_reserved{suffix}"] = sums[resource].reserved
        if usages:
            used = added(each.get(resource, 0.0) for each in usages)
            stated[f"{word}_free{suffix}"] = sums[resource].capacity - used
    memory = sums.get("MEMORY_MB")
    return Host(
        name=root.name,
        row=root.where,
        source_id=root.uuid,
        threads=int(threads),
        memory_mib=memory.total if memory and memory.total else None,
        hypervisor="kvm",
        stated=stated,
    )


def _overcommitted(root: _Provider, tree: Sequence[_Provider]) -> Iterator[Finding]:
    """Tell of memory that Placement hands out more than once."""
    for each in tree:
        memory = each.amounts.get("MEMORY_MB")
        if memory is None or memory.capacity <= memory.total - memory.reserved:
            continue
        ratio = memory.capacity / (memory.total - memory.reserved)
        yield Finding(
            "MEMORY_OVERCOMMIT",
            Severity.WARNING,
            each.where,
            f"{root.name} hands out {ratio:g} times its memory",
            "farmsim takes the memory that is there, without this ratio",
            (root.name,),
        )


def _without_cpu(root: _Provider) -> Finding:
    """Tell of a provider that is not a host."""
    return Finding(
        "PROVIDER_WITHOUT_CPU",
        Severity.INFO,
        root.where,
        f"{root.name} has neither VCPU nor PCPU, as shared storage",
        "it is not counted as a host",
        (root.name,),
    )


def _told_of(inventory: Inventory) -> list[Finding]:
    """Return what is to be told of any answer of Placement."""
    if not inventory.hosts:
        return []
    names = tuple(host.name for host in inventory.hosts)
    return [
        Finding(
            "THREADS",
            Severity.WARNING,
            inventory.hosts[0].row,
            "total of VCPU and PCPU counts threads; cores and clock are not stated",
            "CPU capacity is unknown; match each host with a server of the catalogue",
            names,
        ),
    ]

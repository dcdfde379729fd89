"""Proxmox VE: ``pvesh get /cluster/resources``, ``/nodes/NODE/status`` and ``…/rrddata``, as JSON.

``maxcpu`` of a node counts threads, ``cpu`` is a share of ``maxcpu`` and sizes are bytes. The
status of a node states sockets and cores; its ``mhz`` is the clock of one core at that moment, so
the nominal clock is taken from the name of the CPU.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..inventory.findings import Finding, Severity
from ..inventory.identity import Identities, VmIds
from ..inventory.inventory import Host, Inventory, Vm
from ..inventory.series import history_findings, joined
from ..inventory_files.columns import ReadOptions
from ..inventory_files.json_values import JsonValues, Record, records, unwrapped
from ..inventory_files.sheets import InputFile
from ..inventory_files.sources import begun
from .proxmox_series import HISTORY, is_history, series_of

NAME: Final = "Proxmox"
RESOURCES: Final = "resources"
STATUS: Final = "status"
_GUESTS: Final = {"qemu", "lxc"}
_CLOCK: Final = re.compile(r"@\s*(\d+(?:\.\d+)?)\s*([GM])Hz", re.IGNORECASE)


def part_of(content: object) -> str | None:
    """Return which output of Proxmox a JSON content is, None if it is none."""
    content = unwrapped(content)
    kinds = {each.get("type") for each in records(content) if isinstance(each.get("type"), str)}
    if kinds & {"node", *_GUESTS} and any("maxcpu" in each for each in records(content)):
        return RESOURCES
    if is_history(content):
        return HISTORY
    return STATUS if _statuses(content, "") else None


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the files of Proxmox, one group for each list of resources.

    The status of nodes and the history belong to all of them: each list is the same farm at
    another instant.
    """
    parts = [(file, part_of(file.json())) for file in files if file.kind == "json"]
    lists = [file for file, part in parts if part == RESOURCES]
    others = [file for file, part in parts if part in {STATUS, HISTORY}]
    if not lists:
        return [others] if others else []
    status = [file for file, part in parts if part == STATUS]
    again = [dataclasses.replace(file) for file in status]
    return [[lists[0], *others], *([each, *again] for each in lists[1:])]


def read(group: Sequence[InputFile], options: ReadOptions) -> Inventory:  # noqa: ARG001
    """Return the inventory in the files of one group."""
    inventory = begun(group, NAME, experimental=True)
    contents = [(file, unwrapped(file.json())) for file in group]
    statuses: dict[str, tuple[str, Record]] = {}
    for file, content in contents:
        if part_of(content) == STATUS:
            for node, status in _statuses(content, _stem(file)).items():
                statuses[node] = (file.name, status)
    for file, content in contents:
        if part_of(content) == RESOURCES:
            _add_resources(inventory, file.name, records(content), statuses)
    if not inventory.hosts:
        inventory.hosts += _hosts_of_statuses(statuses, inventory.findings)
    for file, content in contents:
        if part_of(content) == HISTORY:
            series_of(inventory, file, content)
    inventory.series, differing = joined(inventory.series)
    inventory.findings += differing + history_findings(inventory.series)
    inventory.identity = "vm_id"
    inventory.findings += _told_of(inventory)
    return inventory


def _stem(file: InputFile) -> str:
    """Return the name of a file without folder and ending."""
    return re.split(r"[/\\]", file.name)[-1].rpartition(".")[0] or file.name


def _statuses(content: object, name: str) -> dict[str, Record]:
    """Return the status of each node; ``name`` is that of a node whose status stands alone."""
    if not isinstance(content, dict):
        return {}
    if isinstance(content.get("cpuinfo"), dict):
        return {name: content}
    found = {node: unwrapped(each) for node, each in content.items()}
    return {
        node: each
        for node, each in found.items()
        if isinstance(each, dict) and isinstance(each.get("cpuinfo"), dict)
    }


def _add_resources(
    inventory: Inventory,
    file: str,
    resources: list[Record],
    statuses: Mapping[str, tuple[str, Record]],
) -> None:
    """Add the nodes and guests of a list of resources."""
    values = JsonValues(file)
    for at, each in enumerate(resources, 1):
        kind = each.get("type")
        where = f"entry {at}"
        if kind == "node":
            host = _host(each, values, where)
            if host is not None:
                inventory.hosts.append(host)
        elif isinstance(kind, str) and kind in _GUESTS:
            inventory.vms.append(_guest(each, kind, values, where))
    links = Identities(
        [VmIds(vm.name, host=vm.host, vm_id=vm.source_id) for vm in inventory.vms],
        [vm.row for vm in inventory.vms],
    )
    inventory.findings += links.findings()
    inventory.vms[:] = [
        dataclasses.replace(vm, key=key)
        for vm, key in zip(inventory.vms, links.keys(), strict=True)
    ]
    for row, host in enumerate(inventory.hosts):
        if host.name in statuses:
            source, status = statuses[host.name]
            told = JsonValues(source)
            share = _share(resources, host.name) if host.in_service else None
            inventory.hosts[row] = _with_status(host, status, told, share)
            inventory.findings += told.findings()
    inventory.findings += values.findings()


def _host(record: Record, values: JsonValues, where: str) -> Host | None:
    """Return a node; None if it has no name."""
    name = values.text(record, "node", where)
    if name is None:
        return None
    online = values.text(record, "status", where) == "online"
    return Host(
        name=name,
        row=f"{values.file}, {where}",
        source_id=values.text(record, "id", where),
        threads=values.count(record, "maxcpu", where),
        memory_mib=values.mib(record, "maxmem", where) or None,
        # What is known of a node that is offline is from before it went.
        memory_used_mib=values.mib(record, "mem", where) if online else None,
        in_service=online,
        hypervisor="proxmox",
    )


def _share(resources: list[Record], node: str) -> object:
    """Return the share of its threads that a node uses."""
    return next(
        (each.get("cpu") for each in resources if each.get("type") == "node"
         and each.get("node") == node), None
    )  # fmt: skip


def _with_status(host: Host, status: Record, values: JsonValues, share: object) -> Host:
    """Return a node with what its status states of its CPU."""
    info = status["cpuinfo"]
    where = host.name
    cores, model = values.count(info, "cores", where), values.text(info, "model", where)
    clock_mhz = clock_of(model)
    used = values.number({"cpu": share}, "cpu", where, 1.5)
    memory = status.get("memory")
    total = values.mib(memory, "total", where) if isinstance(memory, dict) else None
    known = used is not None and cores is not None and clock_mhz is not None
    return dataclasses.replace(
        host,
        cpu_model=model,
        sockets=values.count(info, "sockets", where),
        cores=cores,
        threads=values.count(info, "cpus", where) or host.threads,
        clock_mhz=clock_mhz,
        memory_mib=host.memory_mib or total or None,
        cpu_used_mhz=used * cores * clock_mhz if known else None,  # type: ignore[operator]
    )


def _hosts_of_statuses(
    statuses: Mapping[str, tuple[str, Record]], findings: list[Finding]
) -> list[Host]:
    """Return the hosts where only the status of nodes is given."""
    hosts = []
    for node, (file, status) in statuses.items():
        values = JsonValues(file)
        bare = Host(name=node, row=f"{file}, {node}", hypervisor="proxmox")
        hosts.append(_with_status(bare, status, values, None))
        findings += values.findings()
    return hosts


def clock_of(model: str | None) -> float | None:
    """Return the nominal clock in MHz that the name of a CPU states, None if it states none."""
    found = _CLOCK.search(model or "")
    if not found:
        return None
    return round(float(found[1]) * (1000 if found[2].upper() == "G" else 1), 3)


def _guest(record: Record, kind: str, values: JsonValues, where: str) -> Vm:
    """Return a VM or a container."""
    number = values.text(record, "vmid", where) or where
    identity = values.text(record, "id", where) or f"{kind}/{number}"
    state = values.text(record, "status", where)
    running = state == "running"
    share = values.number(record, "cpu", where, 10) if running else None
    return Vm(
        key=identity,
        name=values.text(record, "name", where) or number,
        row=f"{values.file}, {where}",
        source_id=identity,
        host=values.text(record, "node", where),
        vcpus=values.count(record, "maxcpu", where),
        memory_mib=values.mib(record, "maxmem", where) or None,
        disk_mib=values.mib(record, "maxdisk", where) or None,
        power_state=state,
        template=record.get("template") in (1, True, "1"),
        container=kind == "lxc",
        cpu_share=share,
        memory_consumed_mib=values.mib(record, "mem", where) if running else None,
        resource_pool=values.text(record, "pool", where),
    )


def _told_of(inventory: Inventory) -> list[Finding]:
    """Return what is to be told of the hosts and guests of Proxmox."""
    file = inventory.sources[0].file
    findings = []
    bare = [host for host in inventory.hosts if host.cores is None]
    if bare:
        findings.append(
            Finding(
                "THREADS",
                Severity.WARNING,
                bare[0].row,
                f"maxcpu counts threads; the cores of {_counted(bare, 'host')} are unknown",
                "CPU capacity is unknown there; give the output of "
                "'pvesh get /nodes/NODE/status --output-format json' as well",
                tuple(host.name for host in bare),
            )
        )
    clockless = [host for host in inventory.hosts if host.cores and not host.clock_mhz]
    if clockless:
        findings.append(
            Finding(
                "CLOCK_UNKNOWN",
                Severity.WARNING,
                clockless[0].row,
                f"the name of the CPU of {_counted(clockless, 'host')} states no clock, and mhz is "
                "that of one core at that moment",
                "CPU capacity is unknown there; match the CPU with a server of the catalogue",
                tuple(host.name for host in clockless),
            )
        )
    clocked = [host for host in inventory.hosts if host.clock_mhz]
    if clocked:
        findings.append(
            Finding(
                "CLOCK_FROM_MODEL",
                Severity.INFO,
                clocked[0].row,
                f"the nominal clock of {_counted(clocked, 'host')} is from the name of the CPU; "
                "mhz is that of one core at that moment",
                "",
                tuple(host.name for host in clocked),
            )
        )
    containers = [vm for vm in inventory.vms if vm.container and not vm.template]
    if containers:
        findings.append(
            Finding(
                "CONTAINERS",
                Severity.WARNING,
                file,
                f"{_counted(containers, 'container')} shares the kernel of its host"
                if len(containers) == 1
                else f"{_counted(containers, 'container')} share the kernel of their host",
                "they are left out of the plan although they use hosts; "
                "--include containers plans them as VMs",
                tuple(vm.key for vm in containers),
            )
        )
    return findings


def _counted(objects: Sequence[Any], word: str) -> str:
    """Return a number of objects: ``1 host``, ``3 hosts``."""
    return f"{len(objects):,} {word}{'' if len(objects) == 1 else 's'}"

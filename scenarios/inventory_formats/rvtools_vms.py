"""VMs and placement rules of RVTools: vInfo, and what vCPU, vMemory and vDisk add to it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..inventory.findings import Finding, Severity
from ..inventory.identity import Identities, VmIds
from ..inventory.inventory import Rule, Vm
from ..inventory_files.table_reader import TableReader

_ABSENT = {
    "power_state": "no column tells whether a VM is on: all are taken as on",
    "template": "no column tells templates: no VM is taken as one",
    "host": "no column tells the host of a VM: the joins with vHost are not checked",
    "cluster": "no column tells the cluster of a VM: that of its host is taken",
}


def vms_of(reader: TableReader | None, findings: list[Finding]) -> tuple[list[Vm], Identities]:
    """Return the VMs in vInfo with their identities; rows without a name get a finding.

    A VM with 0 CPUs or 0 memory has no known size. Raises InputError.
    """
    if reader is None:
        return [], Identities(())
    for name, message in _ABSENT.items():
        if not reader.has(name):
            where = reader.table.where_header
            findings.append(Finding("COLUMN_ABSENT", Severity.INFO, where, message))
    ids = list(_ids(reader))
    kept = [at for at, each in enumerate(ids) if each.name]
    if len(kept) < len(ids):
        findings.append(_nameless(reader, len(ids) - len(kept)))
    rows = [reader.table.where(at) for at in kept]
    links = Identities([ids[at] for at in kept], rows)
    findings.extend(links.findings())
    texts = {
        name: reader.texts(name)
        for name in ("power_state", "connection_state", "datacentre", "server", "pool",
                     "restart_priority", "os", "os_tools")
    }  # fmt: skip
    vcpus, memory, active = (
        reader.whole("vcpus"),
        reader.numbers("memory"),
        reader.numbers("active"),
    )
    disk, provisioned = reader.numbers("disk"), reader.numbers("provisioned")
    template, placeholder = reader.truths("template"), reader.truths("placeholder")
    powered_on = reader.moments("powered_on")
    vms = []
    for number, (at, key) in enumerate(zip(kept, links.keys(), strict=True)):
        vms.append(
            Vm(
                key=key,
                name=ids[at].name,
                row=rows[number],
                cluster=ids[at].cluster,
                host=ids[at].host,
                datacentre=texts["datacentre"][at],
                site=texts["server"][at],
                source_id=links.source_id(number),
                vcpus=vcpus[at] or None,
                memory_mib=memory[at] or None,
                disk_mib=disk[at] if disk[at] is not None else provisioned[at],
                power_state=texts["power_state"][at],
                connection_state=texts["connection_state"][at],
                template=bool(template[at]),
                placeholder=bool(placeholder[at]),
                memory_active_mib=active[at],
                os=texts["os_tools"][at] or texts["os"][at],
                restart_priority=texts["restart_priority"][at],
                resource_pool=texts["pool"][at],
                powered_on_since=powered_on[at],
            )
        )
    return vms, links


def add_side_sheets(
    vms: list[Vm],
    links: Identities,
    readers: Mapping[str, TableReader],
    findings: list[Finding],
) -> list[Vm]:
    """Return VMs with what vCPU, vMemory and vDisk say of them. Raises InputError.

    Rows that name VMs which vInfo does not have get a finding for each sheet.
    """
    if not vms:
        return vms
    if "vCPU" not in readers:
        findings.append(
            Finding(
                "CPU_BY_VM_ABSENT",
                Severity.INFO,
                vms[0].row.rpartition(", ")[0],
                "no readable sheet vCPU: the CPU use of single VMs is not known",
                "CPU use is known by host at most",
            )
        )
    added: list[dict[str, object]] = [{} for _ in vms]
    for name, add in (("vCPU", _add_cpu), ("vMemory", _add_memory), ("vDisk", _add_disks)):
        if name in readers:
            rows = _joined(name, readers[name], links, findings)
            add(readers[name], rows, vms, added)
    if "vCPU" in readers:
        findings.extend(_cpus_that_disagree(readers["vCPU"], links, vms))
    return [replace(vm, **more) if more else vm for vm, more in zip(vms, added, strict=True)]  # type: ignore[arg-type]


def rules_of(reader: TableReader | None, vms: list[Vm], findings: list[Finding]) -> list[Rule]:
    """Return the placement rules that vInfo names; members are VMs of one cluster.

    Rules about hosts do not say which hosts: they get a finding and are left out.
    """
    if reader is None or not reader.has("rules"):
        return []
    kinds, names, ids = reader.texts("rules"), reader.texts("rule_names"), reader.texts("name")
    named = [at for at, name in enumerate(ids) if name]
    members: dict[tuple[str | None, str | None, str, str], list[str]] = {}
    for vm, at in zip(vms, named, strict=True):
        for kind, name in _rules_in(kinds[at], names[at]):
            members.setdefault((vm.site, vm.cluster, kind, name), []).append(vm.key)
    rules = []
    for (_, cluster, kind, name), keys in members.items():
        found = _rule_kind(kind)
        where = f"{reader.table.sheet.where}, rule {name}"
        if found is None:
            findings.append(
                Finding(
                    "RULE_NOT_UNDERSTOOD",
                    Severity.WARNING,
                    where,
                    f"{kind} with {_count(len(keys), 'VM')} in {cluster or 'no cluster'}: the file "
                    "does not say which hosts it is about",
                    "the rule is left out; state it in rules.csv",
                    tuple(keys),
                )
            )
        elif len(keys) < 2:
            findings.append(
                Finding(
                    "RULE_WITH_ONE_VM",
                    Severity.INFO,
                    where,
                    f"{kind} has one VM in the file: {keys[0]}",
                    "the rule has no effect",
                    tuple(keys),
                )
            )
        else:
            rules.append(Rule(found, name, tuple(keys)))
    return rules


def _rules_in(kinds: str | None, names: str | None) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each rule in two cells, which may list several."""
    if not kinds:
        return
    several = [part.strip() for part in re.split(r"[\n;,]", kinds) if part.strip()]
    named = [part.strip() for part in re.split(r"[\n;,]", names or "") if part.strip()]
    if len(several) > 1 and len(several) == len(named):
        yield from zip(several, named, strict=True)
    else:
        yield kinds, names or kinds


def _rule_kind(kind: str) -> str | None:
    """Return ``apart`` or ``together``; None for rules about hosts, and unknown ones."""
    word = re.sub(r"[^a-z]", "", kind.lower())
    if "host" in word or "affin" not in word:
        return None
    return "apart" if "anti" in word else "together"


def _ids(reader: TableReader) -> Iterator[VmIds]:
    """Yield what each row of a sheet states of which VM it is about."""
    fields = ("name", "cluster", "host", "vm_id", "vm_uuid", "server", "server_uuid")
    columns = [reader.texts(name) for name in fields]
    for name, *others in zip(*columns, strict=True):
        yield VmIds(name or "", *others)


def _joined(
    sheet: str, reader: TableReader, links: Identities, findings: list[Finding]
) -> list[int | None]:
    """Return the VM (rows,) that each row of a side sheet is about; unknown names get a finding."""
    ids = list(_ids(reader))
    rows = [links.find(each) for each in ids]
    names = links.names
    unknown = [at for at, each in enumerate(ids) if each.name not in names]
    if unknown:
        by_id = sum(rows[at] is not None for at in unknown)
        effect = "these rows are left out"
        if by_id:
            effect = f"{by_id:,} of them are joined by ID or UUID"
            effect += ", the others left out" if by_id < len(unknown) else ""
        findings.append(
            Finding(
                "SIDE_SHEET_UNKNOWN_VMS",
                Severity.WARNING,
                reader.table.where(unknown[0]),
                f"{len(unknown):,} of {len(ids):,} rows of {sheet} name VMs that vInfo does not "
                f"have, such as {ids[unknown[0]].name or 'a blank one'}",
                effect,
            )
        )
    return rows


def _add_cpu(
    reader: TableReader, rows: list[int | None], vms: list[Vm], added: list[dict[str, object]]
) -> None:
    """Add what vCPU says. ``Max`` is vCPUs times clock, known where the VM is on."""
    values: dict[str, Sequence[float | None]] = {
        "cpu_used_mhz": reader.numbers("overall"),
        "reservation_mhz": reader.numbers("reservation"),
        "cpu_limit_mhz": reader.numbers("limit"),
        "cpu_shares": reader.numbers("shares"),
        "sockets": reader.whole("sockets"),
    }
    most, vcpus = reader.numbers("max"), reader.whole("vcpus")
    for at, vm in enumerate(rows):
        if vm is None:
            continue
        added[vm].update({name: column[at] for name, column in values.items()})
        count, total = vcpus[at], most[at]
        if count and total and count == vms[vm].vcpus:
            added[vm]["clock_mhz"] = total / count


def _add_memory(
    reader: TableReader, rows: list[int | None], vms: list[Vm], added: list[dict[str, object]]
) -> None:
    """Add what vMemory says."""
    consumed, active = reader.numbers("consumed"), reader.numbers("active")
    reservation = reader.numbers("reservation")
    for at, vm in enumerate(rows):
        if vm is None:
            continue
        added[vm]["memory_consumed_mib"] = consumed[at]
        added[vm]["memory_reservation_mib"] = reservation[at]
        if active[at] is not None or vms[vm].memory_active_mib is None:
            added[vm]["memory_active_mib"] = active[at]


def _add_disks(
    reader: TableReader, rows: list[int | None], vms: list[Vm], added: list[dict[str, object]]
) -> None:
    """Add the sum of the disks of VMs of which vInfo states no total."""
    totals: dict[int, float | None] = {}
    for vm, capacity in zip(rows, reader.numbers("capacity"), strict=True):
        if vm is not None and vms[vm].disk_mib is None:
            total = totals.get(vm, 0.0)
            totals[vm] = None if capacity is None or total is None else total + capacity
    for vm, total in totals.items():
        added[vm]["disk_mib"] = total


def _cpus_that_disagree(reader: TableReader, links: Identities, vms: list[Vm]) -> Iterator[Finding]:
    """Yield what is said of VMs of which vCPU states other vCPUs than vInfo."""
    different = []
    for ids, count in zip(_ids(reader), reader.whole("vcpus"), strict=True):
        at = links.find(ids)
        if at is not None and count and vms[at].vcpus and count != vms[at].vcpus:
            different.append((vms[at], count))
    if different:
        vm, count = different[0]
        yield Finding(
            "VM_CPUS_DISAGREE",
            Severity.WARNING,
            vm.row,
            f"{_count(len(different), 'VM')} with other CPUs in vCPU than in vInfo, such as "
            f"{vm.key}: {count} and {vm.vcpus}",
            "the numbers of vInfo are used; the file was changed after the export",
            tuple(each.key for each, _ in different),
        )


def _nameless(reader: TableReader, count: int) -> Finding:
    """Return what is said of rows without a name."""
    return Finding(
        "ROW_WITHOUT_NAME",
        Severity.WARNING,
        reader.table.sheet.where,
        f"{_count(count, 'row')} without a VM name",
        "these rows are left out",
    )


def _count(number: int, what: str) -> str:
    """Return a number with a noun."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"

"""Import inventories: files become a scenario, its tables, and findings about the data."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ...models.base.lazy_dataclass import dataclass
from ..errors.problems import InputError, refuse
from ..inventory.cluster_names import tell_clusters_apart
from ..inventory.cluster_totals import ClusterTotals, cluster_totals
from ..inventory.inventory import Inventory, Scope, Vm
from ..inventory.join_checks import join_findings
from ..inventory.local_time import zone_of
from ..inventory.scope import WORDS, set_scopes
from ..inventory.series import joined
from ..inventory_files.columns import ReadOptions
from ..inventory_files.headers import HEADER_ROWS, plain
from ..inventory_files.open_files import open_files
from ..inventory_files.sheets import InputFile, Sheet
from ..inventory_formats.formats import recognised
from .anonymise import Aliases, anonymise, learn_names
from .host_groups import (
    HostGroup,
    beyond_hosts,
    host_groups,
    memory_findings,
    place_vms,
    with_assumed_hosts,
)
from .import_record import Imported, by_severity
from .mapping import Mapping, apply_clusters
from .merge import merge, unmatched_series
from .plausible import without_absurd_sizes
from .scenario_text import ScenarioFacts, power_findings, power_of, scenario_text
from .snapshot_source import snapshot_source
from .tables import MeasuredLoad, hosts_csv, is_listed, measured_load, rules_csv, vms_csv
from .unique_names import with_unique_hosts

WEEK_S: Final = 7 * 86_400.0
SCENARIO, VMS, HOSTS, RULES, LOAD = (
    "scenario.yaml", "vms.csv", "hosts.csv", "rules.csv", "load.parquet",
)  # fmt: skip


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about an import.

    ``include`` are scopes that are moved into the plan, ``system`` patterns of names of system VMs,
    ``time_zone`` that of times without one, ``interval_s`` the time between files of counters that
    do not state theirs. ``aliases`` replace names, if given.
    """

    name: str = "imported-farm"
    mapping: Mapping | None = None
    include: frozenset[Scope] = frozenset()
    system: tuple[str, ...] = ()
    time_zone: str | None = None
    interval_s: float | None = None
    include_maintenance: bool = False
    aliases: Aliases | None = None


def import_files(paths: Sequence[Path], options: ImportOptions) -> Imported:
    """Read files of any known kinds and return the farm that they describe.

    Raises InputError if a file cannot be read or recognised, or if no VM is left in the plan.
    """
    if options.time_zone is not None:
        zone_of(options.time_zone, "--tz")  # an unknown one is refused, needed or not
    mapping = options.mapping or Mapping()
    files = [_renamed(file, mapping.columns) for file in open_files(paths)]
    read_options = ReadOptions(
        decimal_marks=mapping.decimal_marks,
        units=mapping.units,
        day_first=None if mapping.dates is None else mapping.dates == "day_first",
        system=options.system,
        time_zone=options.time_zone,
        interval_s=options.interval_s,
    )
    parts, problems = [], []
    for file_format, group in recognised(files):
        try:
            part = file_format.read(group, read_options)
        except InputError as error:
            problems += error.problems
            continue
        parts.append(part)
    if problems:
        raise InputError(problems)
    return imported(parts, options)


def _renamed(file: InputFile, columns: dict[str, str]) -> InputFile:
    """Return a file whose headers are those that its format knows."""
    if not columns or not file.sheets:
        return file
    known = {plain(written): meant for written, meant in columns.items()}
    return replace(file, sheets=tuple(_renamed_sheet(sheet, known) for sheet in file.sheets))


def _renamed_sheet(sheet: Sheet, known: dict[str, str]) -> Sheet:
    """Return a sheet whose headers are replaced where it is read."""

    def read() -> tuple[list[Sequence[object]], int]:
        rows: list[Sequence[object]] = list(sheet.rows)
        for at, row in enumerate(rows[:HEADER_ROWS]):
            rows[at] = [
                known.get(plain(cell), cell) if isinstance(cell, str) else cell for cell in row
            ]
        return rows, sheet.first_row

    return Sheet(sheet.file, sheet.name, read)  # type: ignore[arg-type]


def imported(parts: Sequence[Inventory], options: ImportOptions) -> Imported:
    """Return the farm that some inventories describe together.

    Raises InputError if no VM is left in the plan.
    """
    inventory = merge(parts)
    if options.aliases is not None:
        learn_names(inventory, options.aliases)
    mapping = options.mapping or Mapping()
    inventory.series[:], overlaps = joined(inventory.series)
    inventory.findings += overlaps
    inventory.findings += without_absurd_sizes(inventory)
    inventory.findings += apply_clusters(inventory, mapping)
    tell_clusters_apart(inventory)
    inventory.findings += with_unique_hosts(inventory)
    if options.include_maintenance:
        inventory.hosts[:] = [replace(host, in_service=True) for host in inventory.hosts]
    set_scopes(inventory, options.system, options.include)
    classes = {vm.key: found for vm in inventory.vms if (found := mapping.class_of(vm.name))}
    said = {host.name: mapping.server_of(host.name) for host in inventory.hosts}
    usable = {
        host.name: share
        for host in inventory.hosts
        if (share := mapping.usable_of(host.name)) is not None
    }
    if options.aliases is not None:
        old_vms, old_hosts = list(inventory.vms), list(inventory.hosts)
        keys, names = anonymise(inventory, options.aliases)
        classes = {keys[vm.key]: classes[vm.key] for vm in old_vms if vm.key in classes}
        said = {names[host.name]: said[host.name] for host in old_hosts}
        usable = {names[name]: share for name, share in usable.items()}
    if not inventory.in_plan:
        raise _nothing_left(inventory)
    inventory.findings += unmatched_series(inventory) + join_findings(inventory)
    inventory.vms[:] = [_of_known_size(vm) for vm in inventory.vms]
    if not inventory.in_plan:
        raise _nothing_left(inventory)
    totals = cluster_totals(inventory)
    groups, assumed = with_assumed_hosts(inventory, host_groups(inventory))
    powers = [power_of(group, said.get(group.first.name)) for group in groups]
    listed = [vm for vm in inventory.vms if is_listed(vm)]
    beyond = beyond_hosts(groups, inventory.in_plan)
    placed, told = place_vms(groups, listed, beyond)
    load, of_load = measured_load(inventory, placed)
    hosts = [host.name for group in groups for host in group.hosts]
    in_plan = {vm.key: placed[vm.key] for vm in inventory.in_plan}
    rules, of_rules = rules_csv(inventory.rules, in_plan, hosts)
    findings = [
        *inventory.findings, *assumed,
        *memory_findings(groups, beyond), *power_findings(groups, powers),
        *told, *of_load, *of_rules,
    ]  # fmt: skip
    serving = {host.name for group in groups for host in group.hosts if host.in_service}
    homeless = any(each.host not in serving for each in in_plan.values())
    facts = _facts(inventory, options.name, load, bool(rules), groups, totals)
    facts = replace(facts, usable=usable, may_be_unplaced=facts.may_be_unplaced or homeless)
    files = {
        SCENARIO: scenario_text(facts, groups, powers),
        VMS: vms_csv(inventory, placed, classes),
        HOSTS: hosts_csv(inventory, groups),
    }
    return Imported(
        name=options.name,
        inventory=inventory,
        groups=groups,
        powers=powers,
        clusters=totals,
        findings=by_severity(findings),
        files=files | ({RULES: rules} if rules else {}),
        load=load,
    )


def _of_known_size(vm: Vm) -> Vm:
    """Return a VM, out of the plan if its vCPUs or its memory are not known."""
    if vm.scope is not Scope.IN_PLAN or (vm.vcpus and vm.memory_mib):
        return vm
    return replace(vm, scope=Scope.SIZE_UNKNOWN)


def _nothing_left(inventory: Inventory) -> InputError:
    """Return the refusal of an import without a VM in the plan."""
    files = ", ".join(sorted({source.file for source in inventory.sources})) or "import"
    if not inventory.vms:
        message = "has no VMs; give the inventory of VMs as well, such as the sheet vInfo"
    else:
        scopes = {vm.scope for vm in inventory.vms}
        reasons = ", ".join(WORDS[scope][1] for scope in Scope if scope in scopes)
        message = f"has no VM for the plan, all {len(inventory.vms):,} are {reasons}; "
        message += (
            "give an inventory with vCPUs and memory of these VMs as well"
            if Scope.SIZE_UNKNOWN in scopes
            else "see --include"
        )
    return refuse(files, message)


def _facts(
    inventory: Inventory,
    name: str,
    load: MeasuredLoad | None,
    has_rules: bool,
    groups: Sequence[HostGroup],
    totals: Sequence[ClusterTotals],
) -> ScenarioFacts:
    """Return what the scenario says besides its hosts."""
    sources = [
        f"{each.file} ({each.format}{f' {each.dialect}' if each.dialect else ''}"
        f"{f', of {each.taken:%Y-%m-%d %H:%M}' if each.taken else ''})"
        for each in inventory.sources
    ]
    left = len(inventory.vms) - len(inventory.in_plan)
    head = [
        f"Made by farmsim import of {'; '.join(sources) or 'an inventory'}.",
        f"{len(inventory.in_plan):,} VMs are in the plan, {left:,} are left out; import.html has "
        "the reasons, and how far the data can be trusted.",
    ]
    duration_s, source, note = WEEK_S, snapshot_source(inventory), _note(inventory)
    if load is not None:
        steps = len(next(iter(load.mhz.values())))
        duration_s, source = steps * load.step_s, "{type: parquet, path: load.parquet, unit: MHz}"
        note = (
            f"Measured CPU of {len(load.mhz) - len(load.constant):,} VMs, means of "
            f"{load.step_s / 60:g} min; {len(load.constant):,} VMs without a history stay constant."
        )
    # Planning calls hosts of no cluster so, and the whole farm where it has no clusters.
    there = {group.cluster for group in groups if group.cluster}
    pool = "no cluster" if there else "farm"
    lacking = [
        each.name or pool
        for each in totals
        if each.reason and (each.name is None or each.name in there)
    ]
    return ScenarioFacts(
        name=name,
        description=f"{len(inventory.in_plan):,} VMs on "
        f"{sum(len(each.hosts) for each in groups):,} hosts, as inventoried",
        head=head,
        source=source,
        source_note=note,
        duration_s=duration_s,
        has_rules=has_rules,
        may_be_unplaced=bool(lacking),
        incomplete=lacking,
        has_sites=len({host.datacentre or host.site for host in inventory.hosts}) > 1,
    )


def _note(inventory: Inventory) -> str:
    """Return what the load of a scenario without series rests on."""
    count = len(inventory.snapshots)
    if any(vm.cpu_used_mhz is not None or vm.cpu_share is not None for vm in inventory.in_plan):
        what = "CPU in use of each VM (cpu_used_mhz of vms.csv)"
    elif any(host.cpu_used_mhz is not None for host in inventory.hosts):
        what = "CPU in use of each host (cpu_used_mhz of hosts.csv)"
    else:
        return "No file says how much CPU is in use: the load is a guess by size alone."
    at = f"the mean of {count} instants" if count > 1 else "one instant: confidence in CPU is low"
    return f"{what} at {at}."


def run_name(directory: Path) -> str:
    """Return the name of a scenario that a directory gives it."""
    plain_name = re.sub(r"[^A-Za-z0-9._-]+", "-", directory.resolve().name).strip("-._")[:60]
    return plain_name if plain_name and plain_name[0].isalnum() else "imported-farm"

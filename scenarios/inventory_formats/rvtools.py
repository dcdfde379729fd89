"""RVTools: recognise workbooks and folders of CSV files, and read them into an inventory."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from ..errors.problems import InputError, Problem, refuse
from ..inventory.findings import Finding, Severity, capped
from ..inventory.inventory import Inventory, Source
from ..inventory_files.cells import moment
from ..inventory_files.columns import ReadOptions
from ..inventory_files.headers import Table, find_table, plain, refuse_missing
from ..inventory_files.sheets import InputFile, Sheet
from ..inventory_files.table_reader import TableReader
from .rvtools_columns import MAIN, QUANTITIES, REQUIRED, SHEETS, SIGNATURES
from .rvtools_hosts import clusters_of, hosts_of
from .rvtools_vms import add_side_sheets, rules_of, vms_of

_COMMON = frozenset(
    ("powerstate", "template", "srm placeholder", "datacenter", "vm id", "vm uuid",
     "vi sdk server", "vi sdk uuid", "vi sdk server type")
)  # fmt: skip
"""Headers by which other tables of the same program are told; three make one."""
_OTHER = "other"
_NAMED = re.compile(r"(?:rvtools_?)?(?:tab)?(?=v[A-Z])\w+$")


def recognise(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the workbooks of RVTools, each alone, and its CSV files, a group for each export.

    Files of one folder whose names begin alike before that of the table are one export.
    """
    groups: dict[object, list[InputFile]] = {}
    kinds: dict[object, set[str]] = {}
    for file in files:
        if file.kind == "workbook" and any(_main_sheet(file, name) for name in MAIN):
            groups[id(file)] = [file]
            kinds[id(file)] = set(MAIN)
        elif file.kind == "table":
            kind = _kind_of_table(file.sheets[0])
            if kind:
                path = PurePosixPath(file.shown.replace("\\", "/"))
                key = (str(path.parent), _NAMED.sub("", path.stem))
                groups.setdefault(key, []).append(file)
                kinds.setdefault(key, set()).add(kind)
    return [group for key, group in groups.items() if kinds[key] & set(MAIN)]


def read(files: Sequence[InputFile], options: ReadOptions) -> Inventory:
    """Return the inventory in a workbook, or in the CSV files of one export.

    A side sheet that cannot be read costs a finding. Raises InputError for vInfo and vHost.
    """
    findings: list[Finding] = []
    tables = _tables(files, findings)
    readers = {
        name: TableReader(table, QUANTITIES[name], findings, options)
        for name, table in tables.items()
    }
    vms, links = vms_of(readers.get("vInfo"), findings)
    vms = add_side_sheets(vms, links, readers, findings)
    hosts = hosts_of(readers.get("vHost"), findings)
    taken = _taken(readers.get("vMetaData"))
    return Inventory(
        sources=[
            Source(each.name, each.sha256, "RVTools", _dialect(tables), taken) for each in files
        ],
        hosts=hosts,
        vms=vms,
        clusters=clusters_of(readers.get("vCluster")),
        rules=rules_of(readers.get("vInfo"), vms, findings),
        findings=capped(findings),
        identity=links.identity,
    )


def _tables(files: Sequence[InputFile], findings: list[Finding]) -> dict[str, Table]:
    """Return the table of each known sheet. Raises one InputError for all that must be right."""
    sheets = _sheets(files)
    if not any(name in sheets for name in MAIN):
        raise refuse(files[0].shown, "has neither a sheet vInfo nor vHost")
    tables = {}
    problems = []
    for name, sheet in sheets.items():
        try:
            table = find_table(sheet, SHEETS[name], min(3, len(SHEETS[name])))
        except InputError as error:
            if name in MAIN:
                problems += error.problems
            else:
                findings.append(_unreadable(sheet, str(error)))
            continue
        needed = [field for field in REQUIRED[name] if table is None or table.column(field) is None]
        if table is not None and (name in MAIN or not needed):
            tables[name] = table
        elif name in MAIN:
            problems.append(Problem(sheet.where, "", f"has no header row with {_tried(name)}"))
        elif sheet.rows:
            tried = "; ".join(f"{field}: {', '.join(SHEETS[name][field])}" for field in needed)
            findings.append(_unreadable(sheet, f"columns are missing; tried {tried}"))
    if problems:
        raise InputError(problems)
    refuse_missing((tables[name], REQUIRED[name]) for name in MAIN if name in tables)
    _refuse_no_cores(tables)
    return tables


def _refuse_no_cores(tables: Mapping[str, Table]) -> None:
    """Raise InputError if vHost has neither cores nor what they follow from."""
    table = tables.get("vHost")
    if table is None or not table.missing(["cores"]):
        return
    if table.missing(["sockets", "cores_per_socket"]):
        refuse_missing([(table, ["cores", "sockets", "cores_per_socket"])])


def _sheets(files: Sequence[InputFile]) -> dict[str, Sheet]:
    """Return the sheets of some files by their kinds. Raises InputError if one is there twice."""
    found: dict[str, Sheet] = {}
    for file in files:
        if file.kind == "workbook":
            named = {name: _named_sheet(file, name) for name in SHEETS}
        else:
            named = {_kind_of_table(file.sheets[0]): file.sheets[0]}
        for name, sheet in named.items():
            if sheet is None or name not in SHEETS:
                continue
            if name in found:
                raise refuse(
                    file.shown, f"is a second {name} beside {found[name].file}; name them apart"
                )
            found[name] = sheet
    return found


def _named_sheet(file: InputFile, name: str) -> Sheet | None:
    """Return the sheet of a workbook, which old versions call ``tabvInfo``."""
    return file.sheet(name) or file.sheet(f"tab{name}")


def _main_sheet(file: InputFile, name: str) -> bool:
    """Whether a workbook has a sheet of a name with headers that are known."""
    sheet = _named_sheet(file, name)
    return sheet is not None and find_table(sheet, SHEETS[name]) is not None


def _kind_of_table(sheet: Sheet) -> str:
    """Return which sheet of RVTools a CSV file holds; empty for none."""
    for name, fields in SIGNATURES.items():
        table = find_table(sheet, SHEETS[name], min(3, len(fields)))
        if table is not None and not table.missing(fields):
            return name
    for row in sheet.rows[:1]:
        if len({plain(cell) for cell in row} & _COMMON) >= 3:
            return _OTHER
    return ""


def _dialect(tables: Mapping[str, Table]) -> str:
    """Return which headers a file has."""
    headers = [header for table in tables.values() for header in table.headers]
    if any(plain(each) in {"vinfovmname", "vhostname"} for each in headers):
        return "-DBColumnNames"
    old = any(re.search(r" (MB|KB)$", each) for each in headers)
    return "headers in MB" if old else "headers in MiB"


def _taken(reader: TableReader | None) -> datetime | None:
    """Return when the file was made."""
    column = reader.table.column("taken") if reader is not None else None
    times = [moment(cell) for cell in column.cells] if column is not None else []
    return next(filter(None, times), None)


def _tried(name: str) -> str:
    """Return the headers of a sheet that must be there, as a message lists them."""
    return ", ".join(" or ".join(SHEETS[name][field]) for field in REQUIRED[name])


def _unreadable(sheet: Sheet, message: str) -> Finding:
    """Return what is said of a side sheet that cannot be used."""
    return Finding(
        "SIDE_SHEET_UNREADABLE", Severity.WARNING, sheet.where, message, "the sheet is left out"
    )

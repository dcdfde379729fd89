"""Read a table with one row per VM, and derive the sizes that its VMs have in common.

The table takes the place of ``workload.sizes`` where each VM is known: that of an inventory, say.
It is read column by column; what a cell does not say is unknown, and is not taken for 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.service.request_class import request_classes
from ..errors.problems import InputError, Problem, refuse
from ..errors.suggest import unknown_name
from ..language.former_names import no_such
from ..language.table_times import Cells, listed
from ..language.units import write
from ..spec.workload import Size
from ..traces.archive import packed_as, read_file
from ..traces.table_columns import csv_columns, numbers_of, parquet_columns
from ..traces.trace import InputFile

FIELD = "workload.vms_file"
REQUIRED = ("vm", "vcpus", "clock_mhz", "memory_mib")
TEXTS = ("host", "cluster", "group", "class", "load", "scope", "note")
NUMBERS = (
    "priority", "reservation_mhz", "cpu_limit_mhz", "disk_mib", "cpu_used_mhz", "cpu_share",
    "memory_active_mib", "memory_consumed_mib",
)  # fmt: skip
COLUMNS = (
    *REQUIRED, "host", "cluster", "group", "priority", "reservation_mhz", "cpu_limit_mhz",
    "disk_mib", "class", "load", "cpu_used_mhz", "cpu_share", "memory_active_mib",
    "memory_consumed_mib", "scope", "note",
)  # fmt: skip
IN_PLAN = "in_plan"
SCOPES = (
    "template", "srm_placeholder", "system_vm", "orphaned", "suspended", "powered_off",
    "container", "size_unknown", IN_PLAN,
)  # fmt: skip
"""Why a VM is in the plan or left out of it; those left out take no part in a run."""
MOST = {"vcpus": 100_000, "clock_mhz": 1e6, "memory_mib": 1e12}
MAX_PRIORITY = 1000
MAX_SHARE = 2.0
"""Shares of a VM's own CPU above this are taken for percent."""
FIRST_ROW = 2
SHOWN = 20
"""Problems that are told of one table."""


@dataclass(frozen=True, eq=False)
class VmsTable:
    """The VMs of a table that are in the plan, in its order, a column (VMs,) for each fact.

    A text that is not stated is empty, a number NaN; only ``priority`` is 0 then. ``cpu_used_mhz``
    and the memory in use are those of the instant, or the mean, that the inventory shows;
    ``cpu_share`` is use as a share of the VM's own CPU. ``rows`` are the rows of the file,
    ``stated`` the columns that it has, ``left_out`` the names of the VMs that its column ``scope``
    leaves out of the plan, by scope.
    """

    file: InputFile
    stated: frozenset[str]
    rows: Ints
    vm: Sequence[str]
    vcpus: Ints
    clock_mhz: Floats
    memory_mib: Floats
    host: Sequence[str]
    cluster: Sequence[str]
    group: Sequence[str]
    priority: Ints
    reservation_mhz: Floats
    cpu_limit_mhz: Floats
    disk_mib: Floats
    request_class: Sequence[str]
    load: Sequence[str]
    cpu_used_mhz: Floats
    cpu_share: Floats
    memory_active_mib: Floats
    memory_consumed_mib: Floats
    note: Sequence[str]
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.vm)

    def place(self, index: int) -> str:
        """Return file and row of a VM, for messages."""
        return f"{self.file.name}:{self.rows[index]}"

    def series_names(self) -> list[str]:
        """Return the name of the series of each VM: that under ``load``, else the VM's own."""
        return [load or name for load, name in zip(self.load, self.vm, strict=True)]


@dataclass(frozen=True, eq=False)
class DerivedSizes:
    """The sizes that VMs of a table have in common, in an order that no order of rows changes.

    ``of_vm`` (VMs,) is the size of each VM. VMs of two clusters never share a size.
    """

    written: list[Size]
    of_vm: Ints


def read_vms(path: Path, shown: str) -> VmsTable:
    """Return the VMs of a CSV or Parquet table, called ``shown`` in messages.

    Columns are those of COLUMNS, REQUIRED ones needed. Raises InputError with up to SHOWN problems,
    each with the row and column.
    """
    content = read_file(path, shown)
    columns: Mapping[str, Cells]
    if packed_as(content) == "Parquet":
        columns = parquet_columns(content, shown, ())
    else:
        columns = csv_columns(content, shown)
    _check_header(columns, shown)
    if not len(columns["vm"]):
        raise refuse(shown, "has no VMs; add at least one row below the header")
    return _Reading(shown, columns).table(InputFile.of(shown, content))


def derive_sizes(table: VmsTable, clusters: Sequence[str]) -> DerivedSizes:
    """Return the sizes of a table's VMs: the combinations of all that a size decides.

    These are vCPUs, clock, memory, reservation, limit, class and, where the farm has ``clusters``,
    the cluster. Disk and priority are kept for each VM. Sizes are sorted, and named by what they
    consist of. Raises InputError for VMs of a cluster that the farm does not have.
    """
    named = table.cluster if clusters else [""] * len(table)
    known = {"", *clusters}
    faults = [
        Problem(table.place(index), "cluster", unknown_name("cluster", name, clusters))
        for index, name in enumerate(named)
        if name not in known
    ]
    if faults:
        raise InputError(first_problems(faults, table.file.name))
    distinct, cluster = np.unique(np.array(named), return_inverse=True)
    classes, request_class = np.unique(np.array(table.request_class), return_inverse=True)
    keys = np.column_stack([
        table.vcpus, table.clock_mhz, table.memory_mib,
        np.nan_to_num(table.reservation_mhz, nan=0.0), np.nan_to_num(table.cpu_limit_mhz, nan=-1.0),
        request_class, cluster,
    ])  # fmt: skip
    different, of_vm = np.unique(keys, axis=0, return_inverse=True)
    names = classes.tolist(), distinct.tolist()
    written = [_size(row, *names) for row in different.tolist()]
    return DerivedSizes(written, of_vm.reshape(-1).astype(np.int64))


def first_problems(faults: Sequence[Problem], shown: str) -> list[Problem]:
    """Return the first problems of a table, and how many more there are."""
    count = len(faults) - SHOWN
    if count <= 0:
        return list(faults)
    plural = "problem" if count == 1 else "problems"
    return [*faults[:SHOWN], Problem(shown, "", f"{count:,} more {plural} of this kind")]


def _size(row: Sequence[float], classes: Sequence[str], clusters: Sequence[str]) -> Size:
    """Return the size that a combination of columns stands for, named by what it consists of."""
    vcpus, clock_mhz, memory_mib, reservation_mhz, limit_mhz = row[:5]
    kind, cluster = classes[int(row[5])], clusters[int(row[6])]
    words = [f"{vcpus:g} vCPU", str(write(memory_mib, "memory")), _mhz(clock_mhz)]
    words += [f"{_mhz(reservation_mhz)} reserved"] if reservation_mhz else []
    words += [f"at most {_mhz(limit_mhz)}"] if limit_mhz > 0 else []
    words += [word for word in (kind, cluster) if word]
    # The columns have been checked; the names may be longer than written ones.
    return Size.model_construct(
        name=", ".join(words),
        vcpus=int(vcpus),
        clock=clock_mhz,
        memory=memory_mib,
        request_class=kind or None,
        reservation=reservation_mhz,
        limit=limit_mhz if limit_mhz > 0 else None,
        cluster=cluster or None,
    )


def _mhz(value: float) -> str:
    return str(write(value, "frequency"))


def _check_header(columns: Mapping[str, Cells], shown: str) -> None:
    """Raise InputError for columns that are missing, and for those that have no meaning."""
    faults = [
        Problem(f"{shown}:1", "", no_such("column", name, COLUMNS))
        for name in columns
        if name not in COLUMNS
    ]
    lacking = [name for name in REQUIRED if name not in columns]
    if lacking:
        plural = "column" if len(lacking) == 1 else "columns"
        message = (
            f"has no {plural} {', '.join(lacking)}; a table of VMs needs {', '.join(REQUIRED)}"
        )
        faults.append(Problem(f"{shown}:1", "", message))
    if faults:
        raise InputError(faults)


class _Reading:
    """The columns of a table as they are checked; problems are gathered and told together."""

    def __init__(self, shown: str, columns: Mapping[str, Cells]) -> None:
        self._shown, self._columns = shown, columns
        self._count = len(columns["vm"])
        self._problems: list[tuple[int, Problem]] = []
        """Each with its row, by which they are told in order."""

    def table(self, file: InputFile) -> VmsTable:
        """Return the table. Raises InputError with what is wrong in any row."""
        texts = {name: self._texts(name) for name in TEXTS}
        names = self._names()
        numbers = {name: self._numbers(name) for name in (*REQUIRED[1:], *NUMBERS)}
        self._check_numbers(numbers)
        self._check_texts(texts["class"], "class", "request class", request_classes())
        self._check_texts(texts["scope"], "scope", "scope", SCOPES)
        if self._problems:
            found = [each for _, each in sorted(self._problems, key=lambda each: each[0])]
            raise InputError(first_problems(found, self._shown))
        planned = np.array([scope in ("", IN_PLAN) for scope in texts["scope"]])
        kept = np.flatnonzero(planned)
        if not len(kept):
            message = f"the column scope leaves all {self._count:,} VMs out; keep at least one"
            raise refuse(self._shown, message)
        out = {
            scope: [name for name, own in zip(names, texts["scope"], strict=True) if own == scope]
            for scope in SCOPES[:-1]
            if scope in texts["scope"]
        }

        def taken(name: str) -> list[str]:
            column = texts[name]
            return [column[index] for index in kept.tolist()]

        return VmsTable(
            file=file,
            stated=frozenset(self._columns),
            rows=kept + FIRST_ROW,
            vm=[names[index] for index in kept.tolist()],
            vcpus=numbers["vcpus"][kept].astype(np.int64),
            host=taken("host"),
            cluster=taken("cluster"),
            group=taken("group"),
            request_class=taken("class"),
            load=taken("load"),
            note=taken("note"),
            priority=np.nan_to_num(numbers["priority"][kept], nan=0.0).astype(np.int64),
            left_out=out,
            **{
                name: values[kept]
                for name, values in numbers.items()
                if name not in ("vcpus", "priority")
            },
        )

    def _fault(self, index: int, name: str, message: str) -> None:
        row = index + FIRST_ROW
        self._problems.append((row, Problem(f"{self._shown}:{row}", name, message)))

    def _texts(self, name: str) -> list[str]:
        """Return a column of texts without blanks around them, empty where nothing is said."""
        cells = self._columns.get(name)
        if cells is None:
            return [""] * self._count
        return ["" if cell is None else str(cell).strip() for cell in listed(cells)]

    def _names(self) -> list[str]:
        """Return the names of the VMs as they are written; all are there and differ."""
        cells = listed(self._columns["vm"])
        names = ["" if cell is None else str(cell) for cell in cells]
        rows: dict[str, int] = {}
        for index, name in enumerate(names):
            if not name.strip():
                self._fault(index, "vm", "is empty; write the name of the VM")
            elif name in rows:
                message = (
                    f"{name!r} is the name of the VM of row {rows[name] + FIRST_ROW} as well; make "
                    "the names unique"
                )
                self._fault(index, "vm", message)
            else:
                rows[name] = index
        return names

    def _numbers(self, name: str) -> Floats:
        """Return a column of numbers, NaN where nothing is said."""
        cells = self._columns.get(name)
        if cells is None:
            return np.full(self._count, np.nan)
        return numbers_of(cells, name, self._shown, FIRST_ROW)

    def _check_numbers(self, numbers: Mapping[str, Floats]) -> None:
        """Note what no VM can have."""
        for name in REQUIRED[1:]:
            self._wrong(np.isnan(numbers[name]), name, lambda _: "is empty; every VM needs it")
        for name, most in MOST.items():
            values = numbers[name]
            wrong, least = (values <= 0) | (values > most), "more than 0"
            if name == "vcpus":
                wrong, least = wrong | (_known(values) & ~_whole(values)), "a whole number from 1"
            self._wrong(wrong, name, _cannot_be(values, f"write {least}, up to {most:,.0f}"))
        for name in NUMBERS[1:]:
            wrong = (numbers[name] < 0) | np.isinf(numbers[name])
            right = "write 0 or more, or leave it empty"
            self._wrong(wrong, name, _cannot_be(numbers[name], right))
        priority = numbers["priority"]
        wrong = _known(priority) & ~((np.abs(priority) <= MAX_PRIORITY) & _whole(priority))
        right = f"write a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}, or leave it empty"
        self._wrong(wrong, "priority", _cannot_be(priority, right))
        share = numbers["cpu_share"]
        right = "write a share of the VM's own CPU, such as 0.45 for 45 %"
        wrong = (share > MAX_SHARE) & np.isfinite(share)
        self._wrong(wrong, "cpu_share", _cannot_be(share, right))
        self._check_bounds(numbers)

    def _check_bounds(self, numbers: Mapping[str, Floats]) -> None:
        """Note reservations above the VM's own CPU, and limits of 0 or below the reservation."""
        own_mhz = numbers["vcpus"] * numbers["clock_mhz"]
        reserved_mhz, limit_mhz = numbers["reservation_mhz"], numbers["cpu_limit_mhz"]
        self._wrong(
            (reserved_mhz > own_mhz) & np.isfinite(reserved_mhz),
            "reservation_mhz",
            lambda at: (
                f"{reserved_mhz[at]:g} MHz are more than the {own_mhz[at]:g} MHz of its vCPUs; "
                "reserve less"
            ),
        )
        right = "write more than 0, or leave it empty"
        self._wrong(limit_mhz == 0, "cpu_limit_mhz", _cannot_be(limit_mhz, right))
        self._wrong(
            (limit_mhz > 0) & (limit_mhz < reserved_mhz) & np.isfinite(reserved_mhz),
            "cpu_limit_mhz",
            lambda at: (
                f"{limit_mhz[at]:g} MHz are less than the reservation, {reserved_mhz[at]:g} MHz; "
                "raise the limit or reserve less"
            ),
        )

    def _wrong(self, wrong: Bools, name: str, message: Callable[[int], str]) -> None:
        """Note a fault of a column in each row that is marked."""
        for index in np.flatnonzero(wrong).tolist():
            self._fault(index, name, message(index))

    def _check_texts(
        self,
        values: Sequence[str],
        name: str,
        what: str,
        known: Sequence[str] | Mapping[str, object],
    ) -> None:
        """Note texts that are none of those known."""
        unknown = {value for value in values if value and value not in known}
        if not unknown:
            return
        for index, value in enumerate(values):
            if value in unknown:
                self._fault(index, name, unknown_name(what, value, known))


def _known(values: Floats) -> Bools:
    return ~np.isnan(values)


def _whole(values: Floats) -> Bools:
    whole: Bools = values == np.floor(values)
    return whole


def _cannot_be(values: Floats, right: str) -> Callable[[int], str]:
    """Return what is said of a number of a column that no VM can have, and what would be right."""
    return lambda at: f"is {values[at]:g}; {right}"

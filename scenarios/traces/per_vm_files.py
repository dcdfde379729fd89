"""Readers of traces with one file per VM: PlanetLab text and Bitbrains GWA-T-12.

Files may lie in a folder or an archive; series are in the order of the names of the files. Files of
different lengths are filled up with missing samples.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import numpy as np
from pydantic import Field

from ...models.base.arrays import Floats
from ...models.workload.vm_size import VmSize
from ..errors.problems import InputError, refuse
from ..errors.terminal_text import shortened
from ..language.table_times import EPOCHS, MAX_STEPS, SPARSE
from ..language.value_types import FilePath, Round
from .archive import members
from .trace import (
    InputFile,
    Rules,
    TraceData,
    TraceFormat,
    as_counts,
    complete,
    no_samples,
    refuse_shares,
)

MIB_PER_KB = 1 / 1024
Series = TypeVar("Series")


class PlanetLab(TraceFormat):
    """A folder (or zip or tar archive) of text files, one per VM, with one percentage per line.

    The format of the PlanetLab traces of CloudSim: a file per VM and day, 288 lines of five
    minutes. An example: `{type: planetlab, path: 20110303.zip}`.
    """

    type: Literal["planetlab"]
    path: FilePath = Field(description="Folder or archive, relative to the scenario.")
    step: Round = Field(300.0, description="Time between two lines.")
    unit: Literal["percent", "share"] | None = Field(
        None,
        description="Whether 1 means one percent or all of the VM's CPU; default: percent, and a "
        "trace with no sample above 1 is refused.",
    )

    @property
    def named(self) -> str:
        """The path, as it is written."""
        return self.path

    def read(self, folder: Path, rules: Rules) -> TraceData:
        """Read the folder or archive. Raises InputError."""
        return read_planetlab(folder / self.path, self.path, self.step, rules, self.unit)


def read_planetlab(
    path: Path, shown: str, step_s: float, rules: Rules, unit: str | None = None
) -> TraceData:
    """Read a folder or archive of text files: one VM a file, one percentage a line.

    Lines are ``step_s`` apart, the first of all files is time 0. A blank line is a missing sample.
    Numbers may also be shares (``unit``); None means percent, unless all numbers could be shares.
    Raises InputError with file and line.
    """
    names, columns, files = _each(path, shown, _percentages)
    longest = max(len(column) for column in columns)
    _refuse_waste(longest, columns, names, shown)
    percent = np.full((longest, len(columns)), np.nan)
    for index, column in enumerate(columns):
        percent[: len(column), index] = column
    where = [f"{shown}/{name}" for name in names]
    scale = 100.0 if unit == "share" else 1.0
    percent, quality = complete(scale * percent, names, where, rules)
    if unit is None:
        refuse_shares(percent, shown)
    counts, share = as_counts(percent)
    return TraceData(names, counts, share, step_s, quality, files, by_file=True)


def _each(
    path: Path, shown: str, parse: Callable[[bytes, str], Series]
) -> tuple[list[str], list[Series], list[InputFile]]:
    """Parse each file of a folder or archive; return their names, what came of it, and the files.

    ``parse`` takes content and place. Raises InputError if there is no file.
    """
    names, parsed, files = [], [], []
    for name, content in members(path, shown):
        parsed.append(parse(content, f"{shown}/{name}"))
        names.append(name)
        files.append(InputFile.of(name, content))
    if not parsed:
        raise InputError([no_samples(shown)])
    return names, parsed, files


def _refuse_waste(slots: int, columns: list[Floats], names: list[str], shown: str) -> None:
    """Raise InputError where one file is so long that the grid of all would be mostly empty."""
    lines = [len(column) for column in columns]
    if slots * len(columns) > max(MAX_STEPS, 4 * sum(lines)):
        name = names[lines.index(slots)]
        message = f"has {slots:,} samples, far more than the other files; shorten or remove it"
        raise refuse(f"{shown}/{name}", message)


def _percentages(content: bytes, where: str) -> Floats:
    """Return the numbers of a file, one a line, NaN for a blank line. Raises InputError."""
    try:
        lines = content.decode("ascii").rstrip().split("\n")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise refuse(f"{where}:{row}", "is not plain text with one percentage per line") from None
    if lines == [""]:
        raise InputError([no_samples(where)])
    try:
        values = np.array(lines, np.float64)
        if b"_" not in content and not np.isnan(values).any():
            return values
    except ValueError:
        pass
    return np.array([_number(line, where, row) for row, line in enumerate(lines, 1)])


def _number(text: str, where: str, row: int) -> float:
    """Return the number in a line, NaN if it is blank. Raises InputError with the line."""
    text = text.strip()
    if not text:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or "_" in text:
        raise refuse(f"{where}:{row}", f"{shortened(text)!r} is not a number; write a percentage")
    if np.isnan(value):
        raise refuse(
            f"{where}:{row}", "NaN is not a sample; leave the line blank if the sample is missing"
        )
    return value


class Bitbrains(TraceFormat):
    """A folder (or archive) of GWA-T-12 files, one per VM; the trace includes the sizes.

    The format of the Grid Workloads Archive (GWA-T-12: fastStorage and Rnd). vCPUs, clock and
    memory of each VM are the largest that its file states, unless `workload.sizes` is written. An
    example: `{type: bitbrains, path: rnd.zip}`.
    """

    type: Literal["bitbrains"]
    path: FilePath = Field(description="Folder or archive, relative to the scenario.")
    step: Round = Field(300.0, description="Time between two samples.")

    brings_sizes: ClassVar[bool] = True

    @property
    def named(self) -> str:
        """The path, as it is written."""
        return self.path

    def read(self, folder: Path, rules: Rules) -> TraceData:
        """Read the folder or archive. Raises InputError."""
        return read_bitbrains(folder / self.path, self.path, self.step, rules)


_COLUMNS = {
    "time": "Timestamp [ms]",
    "cores": "CPU cores",
    "capacity": "CPU capacity provisioned [MHZ]",
    "usage": "CPU usage [MHZ]",
    "memory": "Memory capacity provisioned [KB]",
}


def read_bitbrains(path: Path, shown: str, step_s: float, rules: Rules) -> TraceData:
    """Read a folder or archive of GWA-T-12 files.

    Columns are separated by a semicolon and a tab; the header calls the times milliseconds,
    they are Unix seconds. Utilisation is MHz used over the most MHz ever provisioned, which
    with cores and memory also gives the VM's size. Raises InputError.
    """
    names, tables, files = _each(path, shown, _bitbrains_table)
    shown_names = [f"{shown}/{name}" for name in names]
    notes = _to_seconds(tables, shown_names)
    start_s = min(table["time"][0] for table in tables)
    ends = [round((table["time"][-1] - start_s) / step_s) for table in tables]
    samples = sum(len(table["time"]) for table in tables)
    most = SPARSE * samples + 100_000
    if max(ends) > most or max(ends) * len(tables) > max(MAX_STEPS, 4 * samples):
        last = ends.index(max(ends))
        message = (
            f"ends {max(ends) * step_s:g} s after the earliest sample of all files, {max(ends):,} "
            "steps with few samples; correct its times or remove it"
        )
        raise refuse(shown_names[last], message)
    percent = np.full((max(ends) + 1, len(tables)), np.nan)
    sizes: list[VmSize] = []
    for index, table in enumerate(tables):
        size = _size(table, f"{shown}/{names[index]}", names[index])
        slots = np.round((table["time"] - start_s) / step_s).astype(np.int64)
        percent[slots, index] = 100 * table["usage"] / (size.vcpus * size.clock_mhz)
        sizes.append(size)
    percent, quality = complete(percent, names, shown_names, rules, first_row=2)
    quality.notes += notes
    counts, share = as_counts(percent)
    indices = list(range(len(sizes)))
    return TraceData(names, counts, share, step_s, quality, files, sizes, indices, by_file=True)


def _to_seconds(tables: list[dict[str, Floats]], where: list[str]) -> list[str]:
    """Bring times to seconds where their size says that they count in ms, as the header does.

    Returns what was recognised. Raises InputError where files differ.
    """
    in_ms = [EPOCHS["ms"] <= float(table["time"][0]) for table in tables]
    if not any(in_ms):
        return []
    if not all(in_ms):
        odd = in_ms.index(not in_ms[0])
        message = "has times in another unit than the files before it; use one unit in all"
        raise refuse(where[odd], message)
    for table in tables:
        table["time"] = table["time"] / 1000.0
    return ["Times were recognised as Unix times in ms."]


def _bitbrains_table(content: bytes, where: str) -> dict[str, Floats]:
    """Return the columns of a file by what they mean, in order of time.

    Raises InputError for a file with other columns or cells that are no numbers.
    """
    lines = content.decode("utf-8", "replace").splitlines()
    header = [cell.strip() for cell in lines[0].split(";")] if lines else []
    missing = [title for title in _COLUMNS.values() if title not in header]
    if missing:
        raise refuse(f"{where}:1", f"has no column {missing[0]!r}; not a GWA-T-12 file")
    at = {key: header.index(title) for key, title in _COLUMNS.items()}
    rows: list[list[float]] = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = line.split(";")
        if len(cells) != len(header):
            message = f"has {len(cells)} columns, the header {len(header)}; correct the row"
            raise refuse(f"{where}:{number}", message)
        rows.append([_cell(cells[column], where, number, key) for key, column in at.items()])
    if not rows:
        raise InputError([no_samples(where)])
    table = np.array(rows)
    order = np.argsort(table[:, 0], kind="stable")
    return dict(zip(at, table[order].T, strict=True))


def _cell(text: str, where: str, row: int, key: str) -> float:
    """Return a cell as a number of 0 or more. Raises InputError with the row."""
    try:
        value = float(text)
    except ValueError:
        message = f"{text.strip()[:40]!r} under {_COLUMNS[key]!r} is not a number"
        raise refuse(f"{where}:{row}", f"{message}; write a number") from None
    if not np.isfinite(value) or value < 0:
        message = f"{text.strip()[:40]} under {_COLUMNS[key]!r}"
        raise refuse(f"{where}:{row}", f"{message} is negative or infinite; write 0 or more")
    return value


def _size(table: dict[str, Floats], where: str, name: str) -> VmSize:
    """Return the size of a VM: the most cores, capacity and memory that it ever had."""
    vcpus, capacity_mhz = int(table["cores"].max()), float(table["capacity"].max())
    memory_mib = float(table["memory"].max()) * MIB_PER_KB
    if vcpus < 1 or capacity_mhz <= 0 or memory_mib <= 0:
        message = f"VM {name} has no cores, capacity or memory in any row; remove the file"
        raise refuse(where, message)
    return VmSize(name, vcpus, capacity_mhz / vcpus, memory_mib)

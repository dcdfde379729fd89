"""The run directory: written atomically, and read by all later commands.

A directory that farmsim wrote has a manifest with the kind, and the hash of each file; by these a
later command knows that it may read it, or replace it. Directories of others are never touched.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ...models.base.lazy_dataclass import dataclass
from ...scenarios.errors.problems import InputError, refuse
from ...scenarios.files.atomic_replace import named, recover, replace_text, replacing_directory
from ...scenarios.files.destination import (
    MANIFEST,
    RECORD_KEYS,
    Record,
    always,
    kind_at,
    looked_at,
    read_record,
    reason,
    refuse_directory,
    refuse_file,
    reporting_os_errors,
    seal,
    sealed,
    write_json,
)
from ..base.run_tables import SCHEMA_VERSION, RunTables

SUMMARY, SCENARIO, REPORT = "summary.json", "scenario.resolved.yaml", "report.html"
BASELINE, TABLES = "baseline", "tables"
RUN, COMPARED, FAILED_OVER = "run", "comparison", "failover test"
"""What a directory can be, by its manifest."""
VARIANTS = "variants"
PARQUET_END = b"PAR1"


@dataclass(frozen=True)
class StoredRun:
    """A run read from its directory; tables are read on demand.

    ``baselines`` are the runs below it, in the order in which they were compared.

    Only the ends of table files are checked when the run is read; the rest when a table is asked
    for.
    """

    name: str
    title: str
    summary: dict[str, Any]
    manifest: dict[str, Any]
    scenario_yaml: str
    tables: Mapping[str, pa.Table]
    directory: Path
    baselines: "list[StoredRun]" = field(default_factory=list)


def baseline_folders(count: int) -> list[str]:
    """Return the folders of so many baselines: ``baseline``, ``baseline-2``, ``baseline-3``."""
    return [BASELINE if row == 0 else f"{BASELINE}-{row + 1}" for row in range(count)]


def default_directory(run: RunTables, root: Path) -> Path:
    """Return the path for a result in a folder of runs that replaces nothing."""
    return free(root / f"{run.name}-{run.manifest['hash']}", RUN)


def free(directory: Path, kind: str) -> Path:
    """Return a directory, or one with a number after its name if it must not be replaced.

    After 99 tries the directory itself is returned, which is then refused when it is written.
    """
    for number in range(1, 100):
        numbered = directory if number == 1 else directory.with_name(f"{directory.name}-{number}")
        try:
            refuse_directory(numbered, kind)
        except InputError:
            continue
        return numbered
    return directory


def write(run: RunTables, directory: Path, checked: bool = False) -> None:
    """Write a run directory, replacing an earlier run of farmsim there.

    Everything is written beside it first and takes its place at the end. Raises InputError if
    something else is in the way, or it cannot be written; ``checked`` as in
    ``replacing_directory``.
    """
    with replacing_directory(named(directory), RUN, checked) as new:
        write_run(run, new)


def write_run(run: RunTables, directory: Path) -> None:
    """Write a run, its baselines and its report into a folder that exists and is empty."""
    from ..report.report import render  # noqa: PLC0415 - plotly and jinja are costly to import

    _write(run, directory)
    folders = baseline_folders(len(run.baselines))
    for name, baseline in zip(folders, run.baselines, strict=True):
        (directory / name).mkdir()
        _write(baseline, directory / name)
        seal(directory / name, RUN, baseline.manifest)
    (directory / REPORT).write_text(render(run), "utf-8")
    seal(directory, RUN, run.manifest)


def _write(run: RunTables, directory: Path) -> None:
    """Write summary, scenario and tables of one run; the report and the manifest come later."""
    (directory / TABLES).mkdir()
    write_json(directory / SUMMARY, {"title": run.title, **run.summary})
    (directory / SCENARIO).write_text(run.scenario_yaml, "utf-8")
    for name, table in run.tables.items():
        path = directory / TABLES / f"{name}.parquet"
        parquet.write_table(table, path, compression="zstd")


def write_page(directory: Path, kind: str, name: str, text: str) -> Path:
    """Regenerate a page of a directory and return its path.

    Raises InputError if another page is in its place, or it cannot be written.

    Only a page that farmsim wrote is replaced: one that was edited by hand is refused.
    """
    path = directory / name
    kept, record = read_manifest(directory, kind)

    def mine(found: Path) -> bool:
        return record.wrote(name, found)

    refuse_file(path, mine, "the page")
    new = sha256(text.encode()).hexdigest()
    # First both pages are known, then the new one alone: no moment leaves an unknown page.
    both = replace(record, pending={name: new})
    _rewrite_manifest(directory, sealed(kept, both))
    replace_text(path, text, mine, "the page")
    now = replace(record, files={**record.files, name: new}, pending=None)
    _rewrite_manifest(directory, sealed(kept, now))
    return path


def _rewrite_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest of a directory at once."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    replace_text(directory / MANIFEST, text, always, "the manifest")


class _LazyTables(Mapping[str, pa.Table]):
    """Tables of a run directory, read on demand.

    That a file is whole is checked at once, what it holds against its hash when it is read. Raises
    InputError where the directory is damaged.
    """

    def __init__(self, directory: Path, record: Record) -> None:
        self._directory, self._record = directory, record
        listed = sorted(name for name in record.files if name.startswith(f"{TABLES}/"))
        self._files = {Path(name).stem: name for name in listed}
        self._read: dict[str, pa.Table] = {}
        for name in listed:
            if _last_bytes(directory, name) != PARQUET_END:
                raise _damaged(directory, f"{name} is truncated or not a Parquet file")

    def __getitem__(self, name: str) -> pa.Table:
        """Return a table, read once. Raises InputError if its file is damaged, KeyError if none."""
        if name not in self._read:
            file = self._files[name]
            data = _verified(self._directory, file, self._record)
            try:
                # Threads take longer than such tables, and those that live on may end the
                # process with SIGABRT as it closes down.
                whole = parquet.ParquetFile(pa.BufferReader(data))
                self._read[name] = whole.read(use_threads=False)
            except (OSError, pa.ArrowException) as error:
                raise _damaged(self._directory, f"{file}: {error}") from None
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def read(directory: Path) -> StoredRun:
    """Read a run directory. Raises InputError if it is none, or damaged.

    Baselines are read with it. Raises InputError as well where it was written in another format.
    """
    return looked_at(directory, lambda: _read(directory))


def _read(directory: Path) -> StoredRun:
    """Read a run directory whose errors of the system are reported by the caller."""
    manifest, record = read_manifest(directory, RUN)
    data = read_json(directory, SUMMARY, record)
    if data.get("schema_version") != SCHEMA_VERSION:
        shown = data.get("schema_version")
        message = (
            f"was written in format {shown}; this version of farmsim reads {SCHEMA_VERSION}; run "
            "again"
        )
        raise refuse(str(directory), message)
    parts = [name for name in baseline_folders(len(record.parts)) if name in record.parts]
    return StoredRun(
        name=manifest["name"],
        title=data.pop("title", ""),
        summary=data,
        manifest=manifest,
        scenario_yaml=_text(directory, SCENARIO, record),
        tables=_LazyTables(directory, record),
        directory=directory,
        baselines=[read(directory / name) for name in parts],
    )


def kind_of(directory: Path) -> str | None:
    """Return what a directory is by its manifest, None if farmsim did not write it."""
    recover(directory)
    record = read_record(directory)
    return None if record is None else record.kind


def read_manifest(directory: Path, kind: str) -> tuple[dict[str, Any], Record]:
    """Return the manifest of a directory and its record of files.

    Raises InputError if the directory is not of this kind, or damaged.

    The record lists what farmsim wrote there, with hashes. A replacement that was cut off is put
    right first.
    """
    if "\0" in str(directory):
        raise refuse(str(directory), "contains a NUL character; choose another directory")
    recover(directory)
    with reporting_os_errors(directory, "cannot be read"):
        if not (directory / MANIFEST).is_file():
            raise refuse(str(directory), f"is not a {kind} directory: {MANIFEST} is missing")
    record = read_record(directory)
    manifest = _parsed(directory, MANIFEST, _bytes(directory, MANIFEST))
    if record is None:
        raise _damaged(directory, f"{MANIFEST} is not as farmsim wrote it")
    if record.kind != kind:
        hint = f"; give one of the runs in its {VARIANTS}/" if record.kind == COMPARED else ""
        raise refuse(str(directory), f"is a {record.kind}, not a {kind}{hint}")
    return {name: said for name, said in manifest.items() if name not in RECORD_KEYS}, record


def read_json(directory: Path, name: str, record: Record) -> dict[str, Any]:
    """Return a JSON object of a directory. Raises InputError if it is damaged."""
    return _parsed(directory, name, _verified(directory, name, record))


def _parsed(directory: Path, name: str, data: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises InputError if the data is none."""
    try:
        parsed = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _damaged(directory, f"{name} is not JSON") from None
    if not isinstance(parsed, dict):
        raise _damaged(directory, f"{name} is not a JSON object")
    return parsed


def _text(directory: Path, name: str, record: Record) -> str:
    """Return the text of a file. Raises InputError if it is not what farmsim wrote."""
    return _verified(directory, name, record).decode("utf-8")


def _verified(directory: Path, name: str, record: Record) -> bytes:
    """Return the content of a file. Raises InputError if it is not what farmsim wrote."""
    data = _bytes(directory, name)
    if sha256(data).hexdigest() != record.files.get(name):
        raise _damaged(directory, f"{name} was changed since farmsim wrote it")
    return data


def _bytes(directory: Path, name: str) -> bytes:
    """Return the content of a file. Raises InputError if it cannot be read."""
    try:
        return (directory / name).read_bytes()
    except FileNotFoundError:
        raise _damaged(directory, f"{name} is missing") from None
    except OSError as error:
        raise _damaged(directory, f"{name} cannot be read: {reason(error)}") from None


def _last_bytes(directory: Path, name: str) -> bytes:
    """Return the end of a file, by which a table that was cut is known before it is read.

    Raises InputError if it is missing or cannot be read.
    """
    path = directory / name
    with reporting_os_errors(path, "cannot be read"):
        if kind_at(path) != "file":
            raise _damaged(directory, f"{name} is missing")
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - len(PARQUET_END)))
            return file.read()


def _damaged(directory: Path, what: str) -> InputError:
    """Return the error that a directory is not as it was written."""
    return refuse(str(directory), f"is damaged: {what}; run the scenario again")

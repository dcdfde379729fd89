"""The run directory: written whole or not at all, read back by everything that comes after."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ..scenarios.problems import refuse
from .result import SCHEMA_VERSION, Result

MANIFEST, SUMMARY, SCENARIO, REPORT = (
    "manifest.json", "summary.json", "scenario.resolved.yaml", "report.html",
)  # fmt: skip
BASELINE, TABLES = "baseline", "tables"


def default_directory(result: Result, root: Path) -> Path:
    """Return where a result belongs below a folder of runs."""
    return root / f"{result.name}-{result.manifest['hash']}"


def save(result: Result, directory: Path) -> Path:
    """Write a run directory, replacing an earlier run of farmsim there.

    Everything is written beside it first and renamed at the end. Raises InputError if
    something else is in the way.
    """
    with replacing(directory, MANIFEST, "a run") as partial:
        write_run(result, partial)
    result.directory = directory
    return directory


def write_run(result: Result, directory: Path) -> None:
    """Write a result, its baseline and its report into a folder that exists and is empty."""
    from .report import render  # noqa: PLC0415 - plotly and jinja are costly to import

    _write(result, directory)
    if result.baseline is not None:
        (directory / BASELINE).mkdir()
        _write(result.baseline, directory / BASELINE)
    (directory / REPORT).write_text(render(result), "utf-8")


@contextmanager
def replacing(directory: Path, mark: str, what: str) -> Iterator[Path]:
    """Give an empty folder to write into, which takes the place of a directory at the end.

    If writing fails, the directory stays as it was. ``mark`` is the file by which an earlier
    directory of the same kind, ``what``, is known. Raises InputError if something else is in
    the way.
    """
    refuse_foreign(directory, mark, what)
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield partial
        partial.chmod(0o755)
        _swap(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_foreign(directory: Path, mark: str, what: str) -> None:
    """Raise InputError if a directory is a file, or holds something else than ``what``."""
    if directory.is_file():
        raise refuse(str(directory), "is a file; name a directory")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / mark).is_file():
        raise refuse(str(directory), f"holds something else than {what}; name another directory")


def _swap(partial: Path, directory: Path) -> None:
    if not directory.exists():
        partial.replace(directory)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{directory.name}.old.", dir=directory.parent))
    directory.replace(old / directory.name)
    partial.replace(directory)
    shutil.rmtree(old)


def _write(result: Result, directory: Path) -> None:
    (directory / TABLES).mkdir()
    write_json(directory / MANIFEST, result.manifest)
    write_json(directory / SUMMARY, {"title": result.title, **result.summary})
    (directory / SCENARIO).write_text(result.scenario_yaml, "utf-8")
    for name, table in result.tables.items():
        path = directory / TABLES / f"{name}.parquet"
        parquet.write_table(table, path, compression="zstd")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises InputError if it cannot be written."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError as error:
        raise refuse(str(path), f"cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON without NaN."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", "utf-8")


class _LazyTables(Mapping[str, pa.Table]):
    """Tables of a run directory, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
        self._read: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._read:
            self._read[name] = parquet.ParquetFile(self._paths[name]).read()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def load(directory: str | Path) -> Result:
    """Read a run directory. Raises InputError if it is none."""
    directory = Path(directory)
    if not (directory / MANIFEST).is_file():
        raise refuse(str(directory), f"is no run directory: {MANIFEST} is missing")
    try:
        manifest = json.loads((directory / MANIFEST).read_text("utf-8"))
        summary = json.loads((directory / SUMMARY).read_text("utf-8"))
        text = (directory / SCENARIO).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise refuse(str(directory), f"is damaged ({error}); run the scenario again") from None
    if summary.get("schema_version") != SCHEMA_VERSION:
        shown = summary.get("schema_version")
        message = f"was written in format {shown}, this farmsim reads {SCHEMA_VERSION}; run again"
        raise refuse(str(directory), message)
    result = Result(
        name=manifest["name"],
        title=summary.pop("title"),
        summary=summary,
        manifest=manifest,
        scenario_yaml=text,
        tables=_LazyTables(directory / TABLES),
        directory=directory,
    )
    if (directory / BASELINE / MANIFEST).is_file():
        result.baseline = load(directory / BASELINE)
    return result

"""Open files for an import: workbooks, tables, JSON and text, and folders and zips of them."""

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ..errors.problems import refuse
from ..traces.archive import fault_of, members, read_file
from .sheets import InputFile
from .tables import is_json, table_of, text_of
from .workbooks import MAX_UNPACKED_BYTES, is_workbook, refuse_other_books, sheets_of

ENDINGS = (".xlsx", ".xlsm", ".csv", ".tsv", ".txt", ".json")
"""What is read of a folder or an archive."""


def open_files(paths: Sequence[Path | str]) -> list[InputFile]:
    """Return the files that some paths lead to, in the order given, those of a folder by name.

    Raises InputError if one cannot be read.
    """
    found = [each for path in paths for each in _contents(Path(path), str(path))]
    if not found:
        raise refuse("import", f"no file with one of the endings {', '.join(ENDINGS)} was found")
    names = Counter(PurePosixPath(shown.replace("\\", "/")).name for shown, _ in found)
    opened = []
    for shown, content in found:
        name = PurePosixPath(shown.replace("\\", "/")).name
        opened.append(opened_file(content, name if names[name] == 1 else shown, shown))
    return opened


def opened_file(content: bytes, name: str, shown: str) -> InputFile:
    """Return one file by its content. Raises InputError if it is damaged or of a foreign kind."""
    digest = hashlib.sha256(content).hexdigest()
    refuse_other_books(content, shown)
    if content.startswith(b"PK\x03\x04"):
        return InputFile(name, shown, digest, "workbook", sheets_of(content, name, shown))
    text = text_of(content, shown)
    if is_json(text):
        return InputFile(name, shown, digest, "json", (), text)
    table = table_of(text, name, shown)
    if table is None:
        return InputFile(name, shown, digest, "text", (), text)
    return InputFile(name, shown, digest, "table", (table,), text)


def _contents(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of a file, or of each file in a folder or a zip of files."""
    fault = fault_of(path)
    if fault:
        raise refuse(shown, fault)
    if path.is_dir():
        yield from _wanted(path, shown)
        return
    content = read_file(path, shown)
    if zipfile.is_zipfile(io.BytesIO(content)) and not is_workbook(content):
        refuse_other_books(content, shown)
        yield from _wanted(path, shown)
    else:
        yield shown, content


def _wanted(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder or an archive that may be inventories."""
    total_bytes = 0
    for name, content in members(path, shown):
        total_bytes += len(content)
        if total_bytes > 5 * MAX_UNPACKED_BYTES:
            raise refuse(shown, f"holds more than {5 * MAX_UNPACKED_BYTES // 10**6} MB; split it")
        if name.lower().endswith(ENDINGS) and not PurePosixPath(name).name.startswith("~$"):
            yield f"{shown}/{name}", content

"""Allowed output destinations: farmsim creates new paths, and replaces only its own output.

A directory that farmsim wrote proves it by its ``manifest.json``: who wrote it, what it is, and
every file in it with its hash. A directory that holds anything else, or a file that was changed
since, is refused. So are symbolic links, devices, FIFOs and files of other programs.
"""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final, TypeGuard, TypeVar

from ...models.base.lazy_dataclass import dataclass
from ..errors.problems import InputError, refuse

MANIFEST: Final = "manifest.json"
WRITER: Final = "farmsim"
SHOWN: Final = 5
LOOKS: Final = 20
MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
PAGE_HEAD_BYTES: Final = 2000

_KINDS: Final = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """Content of a manifest: ``kind``, and the files that farmsim wrote.

    ``files`` maps names relative to the directory to SHA-256; ``pending`` holds the hash of a
    file that was being replaced; ``parts`` are directories below it with a record of their own.
    """

    kind: str
    files: Mapping[str, str]
    parts: tuple[str, ...]
    pending: Mapping[str, str] | None = None

    def wrote(self, name: str, path: Path) -> bool:
        """Whether a file is as farmsim wrote it; a manifest says that itself."""
        if name == MANIFEST:
            return True
        found = _sha256(path)
        return found == self.files.get(name) or found == (self.pending or {}).get(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that it adds to a manifest."""
        said: dict[str, Any] = {
            "written_by": WRITER,
            "kind": self.kind,
            "files": dict(self.files),
            "parts": list(self.parts),
        }
        return said | ({"pending": dict(self.pending)} if self.pending else {})


RECORD_KEYS: Final = ("written_by", "kind", "files", "parts", "pending", "sha256")


@contextmanager
def reporting_os_errors(path: Path, what: str = "cannot be written") -> Iterator[None]:
    """Turn an error of the operating system into an InputError that names the path."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise refuse(str(path), f"{what}: {reason(error)}") from None


def reason(error: OSError) -> str:
    """Return what the operating system says, in words."""
    if error.strerror is None and error.errno is None:
        return str(error).split(". Detail:", maxsplit=1)[0] or type(error).__name__
    return os.strerror(error.errno) if error.errno else str(error.strerror)


def kind_at(path: Path) -> str | None:
    """Return what stands at a path, links not followed; None: nothing.

    Raises InputError if that cannot be found out.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None  # refused with its parents
    except OSError as error:
        raise refuse(str(path), f"cannot be used: {reason(error)}") from None
    except ValueError:
        raise refuse(str(path), "contains a NUL character; choose another path") from None
    return _KINDS.get(stat.S_IFMT(mode), "special file")


def looked_at(directory: Path, look: Callable[[], T]) -> T:
    """Return what ``look`` finds in a directory.

    Another process may replace the directory meanwhile, so that one half of what is read comes from
    the earlier and one from the new; ``look`` is then called again, up to LOOKS times. Raises what
    it raises if the directory stood still.
    """
    for _ in range(LOOKS):
        before = _identity(directory)
        try:
            return look()
        except InputError:
            if _identity(directory) == before:
                raise
    return look()


def _identity(directory: Path) -> tuple[int, int, int] | None:
    """Return what changes when a directory is replaced, or a file in it is."""
    try:
        found = directory.lstat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def refuse_directory(directory: Path, kind: str) -> None:
    """Raise InputError unless a directory can be made, or is farmsim's own result of this kind.

    Nothing is changed. An empty directory may be replaced too.
    """
    looked_at(directory, lambda: _refuse_directory(directory, kind))


def _refuse_directory(directory: Path, kind: str) -> None:
    """Raise InputError unless a directory may be replaced, looked at once."""
    found = kind_at(directory)
    if found not in {None, "directory"}:
        raise refuse(str(directory), f"is a {found}; choose a directory")
    if found is None:
        refuse_parents(directory)
        return
    with reporting_os_errors(directory, "cannot be read"):
        empty = is_empty(directory)
        record = None if empty else read_record(directory)
        if not empty and (record is None or record.kind != kind):
            message = f"is not empty and not a farmsim {kind}; choose another directory"
            raise refuse(str(directory), message)
        _refuse_fixed(directory)
        foreign = [] if empty else foreign_files(directory)
    if foreign:
        raise refuse(str(directory), f"{_listed(foreign)}; move them or choose another directory")
    refuse_parents(directory)


def is_empty(directory: Path) -> bool:
    """Whether a directory holds nothing. Raises OSError if it cannot be read."""
    with os.scandir(directory) as found:
        return next(found, None) is None


def _listed(foreign: list[str]) -> str:
    """Return the first of some files as text, and how many there are."""
    more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
    names = ", ".join(foreign[:SHOWN])
    return f"contains files that farmsim did not write or that were changed since: {names}{more}"


def _refuse_fixed(directory: Path) -> None:
    """Refuse a directory that cannot be replaced because it is in use as such."""
    here = Path.cwd()
    whole = directory.resolve()
    if whole == here or whole in here.parents:
        message = "contains the current directory and cannot be replaced; choose another directory"
        raise refuse(str(directory), message)
    if directory.is_mount():
        message = "is a mount point and cannot be replaced; choose a directory below it"
        raise refuse(str(directory), message)


def refuse_parents(path: Path, may_be_missing: bool = True) -> None:
    """Refuse a path whose parent is no directory that can be written to, or be made."""
    with reporting_os_errors(path):
        parent = path.parent
        while not parent.exists() and parent != parent.parent:
            if not may_be_missing:
                raise refuse(str(parent), "directory does not exist; create it first")
            if kind_at(parent) is not None:
                raise refuse(str(parent), "is a broken link; choose another directory")
            parent = parent.parent
        if not parent.is_dir():
            raise refuse(str(parent), "is a file, not a directory; choose another path")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise refuse(str(parent), "is not writable; choose another path")


def refuse_file(path: Path, mine: Callable[[Path], bool], what: str) -> None:
    """Raise InputError unless a file can be made, or ``mine`` knows it as farmsim's own.

    ``what`` says what farmsim would write. Nothing is changed.
    """
    found = kind_at(path)
    if found not in {None, "file"}:
        raise refuse(str(path), f"is a {found}; choose a file")
    if found == "file":
        with reporting_os_errors(path, "cannot be read"):
            if not mine(path):
                message = f"exists and is not {what} written by farmsim; choose another file"
                raise refuse(str(path), message)
    refuse_parents(path, may_be_missing=False)


def is_page(path: Path) -> bool:
    """Whether a file is a page that farmsim wrote, by what its head says."""
    with path.open("rb") as file:
        return b'<meta name="generator" content="farmsim ' in file.read(PAGE_HEAD_BYTES)


def always(path: Path) -> bool:  # noqa: ARG001 - one of the ways to know a file
    """Any regular file may be replaced: its owner has said so."""
    return True


def read_record(directory: Path) -> Record | None:
    """Return what a directory's manifest says about it; None if farmsim did not write it."""
    data = _manifest(directory / MANIFEST)
    if data.pop("sha256", None) != _own_hash(data) or data.get("written_by") != WRITER:
        return None
    kind, files, parts = data.get("kind"), data.get("files"), data.get("parts")
    pending = data.get("pending", {})
    if not (isinstance(kind, str) and _is_texts(files) and _is_texts(pending)):
        return None
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return None
    return Record(kind, files, tuple(parts), pending)


def _manifest(path: Path) -> dict[str, Any]:
    """Return what a file says, nothing if it is no JSON object."""
    try:
        if kind_at(path) != "file" or path.stat().st_size > MAX_MANIFEST_BYTES:
            return {}
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, InputError):
        return {}
    return data if isinstance(data, dict) else {}


def _is_texts(data: object) -> TypeGuard[dict[str, str]]:
    """Whether data is a mapping of texts to texts."""
    return isinstance(data, dict) and all(isinstance(each, str) for each in data.values())


def foreign_files(directory: Path, contents: bool = True) -> list[str]:
    """Return what below a directory farmsim did not write, or, with contents, was changed.

    Names are relative to the directory, in order. Raises OSError if it cannot be read.
    """
    return sorted(_foreign_files(directory, "", contents))


def _foreign_files(directory: Path, above: str, contents: bool) -> Iterator[str]:
    """Yield files below a directory that farmsim did not write, and what is in ``parts``."""
    record = read_record(directory)
    if record is None:
        yield above or "."
        return
    known = {MANIFEST, *record.files}
    folders = {str(parent) for name in known for parent in Path(name).parents}
    folders |= {str(parent) for name in record.parts for parent in Path(name).parents}
    for name, path in _walk(directory, "", record.parts):
        kind = kind_at(path)
        if kind == "directory":
            if name in record.parts:
                yield from _foreign_files(path, f"{above}{name}/", contents)
            elif name not in folders:
                yield f"{above}{name}/"
        elif kind != "file" or name not in known or (contents and not record.wrote(name, path)):
            yield above + name


def _walk(directory: Path, above: str, parts: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Yield all below a directory, but not what is inside its parts."""
    with os.scandir(directory) as found:
        entries = list(found)
    for entry in entries:
        name = above + entry.name
        yield name, Path(entry.path)
        if entry.is_dir(follow_symlinks=False) and name not in parts:
            yield from _walk(Path(entry.path), f"{name}/", parts)


def seal(directory: Path, kind: str, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a directory that is complete, with a record of what it holds."""
    everything = list(_walk(directory, "", ()))
    parts = [name.rpartition("/")[0] for name, path in everything if path.name == MANIFEST]
    inside = tuple(f"{part}/" for part in parts)
    files = {
        name: _sha256(path)
        for name, path in everything
        if not path.is_dir() and not name.startswith(inside)
    }
    outer = [part for part in parts if not any(part.startswith(f"{each}/") for each in parts)]
    record = Record(kind, dict(sorted(files.items())), tuple(sorted(outer)))
    write_json(directory / MANIFEST, sealed(manifest, record))


def sealed(manifest: Mapping[str, Any], record: Record) -> dict[str, Any]:
    """Return a manifest with its record and a hash of all that it says."""
    data = {**manifest, **record.to_dict()}
    return data | {"sha256": _own_hash(data)}


def _own_hash(data: Mapping[str, Any]) -> str:
    """Return the hash of a manifest without the hash that it holds itself."""
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON without NaN."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", "utf-8")


def _sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()

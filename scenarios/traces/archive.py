"""Input files of a scenario: plain files, folders, zip and tar archives.

An archive may come from anywhere: names that lead out of it, links, and content far larger than the
archive are refused before anything is unpacked. Nothing is written to disk.
"""

import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..errors.problems import InputError, refuse

MAX_MEMBER_BYTES = 1 << 30
MAX_TOTAL_BYTES = 1 << 33
MAX_PACKING = 200
"""How many times larger than an archive its content may be, from FREE_BYTES on."""
FREE_BYTES = 1 << 24
PARQUET = "a whole Parquet file"
_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError,
    OSError, RuntimeError, ValueError, IndexError, KeyError, OverflowError, MemoryError,
)  # fmt: skip
"""What the readers of archives raise where one is damaged."""


def members(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file, sorted by name; hidden files are left out.

    Names with ``..``, absolute names, links and names that occur twice in an archive are refused,
    and so is content far larger than the archive. Raises InputError.

    ``shown`` is the path in messages. Files of an archive are read one at a time, a member whole.
    """
    if path.is_dir():
        yield from _folder(path, shown)
        return
    refuse_irregular(path, shown, "no such folder or archive; check workload.source.path")
    kind = _kind(path, shown)
    if kind == "zip":
        yield from _zip(path, shown)
    elif kind == "tar":
        yield from _tar(path, shown)
    else:
        raise refuse(shown, "neither a folder nor a zip or tar archive")


def refuse_irregular(path: Path, shown: str, absent: str = "no such file; check the path") -> None:
    """Raise InputError unless a path leads to a regular file.

    Pipes, sockets and devices are not opened: reading them may never end.
    """
    fault = fault_of(path)
    if fault.startswith("no such"):
        raise refuse(shown, absent)
    if fault:
        raise refuse(shown, fault)
    if path.is_dir():
        raise refuse(shown, "is a folder; choose a file")


def fault_of(path: Path) -> str:
    """Return why a path is neither a file nor a folder that can be read; empty if it is.

    Nothing is opened: a pipe or a device might never end.
    """
    try:
        if path.is_file() or path.is_dir():
            return ""
        if not path.exists():
            return "no such file or folder; check the path"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not a valid file name"
        return f"cannot be read: {reason}"
    return "is neither a regular file nor a folder; copy its contents to a file"


def read_file(path: Path, shown: str) -> bytes:
    """Return the content of one regular file. Raises InputError."""
    refuse_irregular(path, shown, "cannot be read: No such file or directory")
    return _read(path, shown)


def packed_as(content: bytes) -> str:
    """Return what kind of packed or binary file some bytes begin; empty for anything else."""
    for start, kind in (
        (b"\x1f\x8b", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"PAR1", "Parquet"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
    ):
        if content.startswith(start):
            return kind
    return ""


def not_whole(shown: str, error: Exception, wanted: str) -> InputError:
    """Return what is said of a table that cannot be read as the ``wanted`` format."""
    reason = str(error).splitlines()[0].rstrip(".")[:200] if str(error) else "empty"
    return refuse(shown, f"is not {wanted} ({reason}); copy it again")


def _folder(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files below a folder, sorted by name."""
    found = {each.relative_to(path).as_posix(): each for each in path.rglob("*") if each.is_file()}
    for name in sorted(found):
        if not _hidden(name):
            _refuse_undecodable(name, shown)
            yield name, _read(found[name], f"{shown}/{name}")


def _read(path: Path, shown: str) -> bytes:
    """Return the content of a file. Raises InputError with the reason of the system."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise refuse(shown, f"cannot be read: {error.strerror}") from None
    except MemoryError:
        raise refuse(
            shown,
            "does not fit into memory; split it into several files",
        ) from None


def _hidden(name: str) -> bool:
    """Whether a file or a folder above it begins with a dot."""
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _refuse_undecodable(name: str, shown: str) -> None:
    """Raise InputError for a name that is not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        told = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise refuse(f"{shown}/{told}", "has a name that is not UTF-8; rename it") from None


def _kind(path: Path, shown: str) -> str:
    """Return ``zip`` or ``tar``, empty for anything else. Raises InputError if it is damaged."""
    try:
        if zipfile.is_zipfile(path):
            return "zip"
        return "tar" if tarfile.is_tarfile(path) else ""
    except _DAMAGED as error:
        raise _damaged(shown, error) from None


class _Inventory:
    """The members of an archive, checked one by one."""

    def __init__(self, path: Path, shown: str) -> None:
        self._shown, self._packed_bytes = shown, path.stat().st_size
        self._total_bytes, self._seen = 0, set[str]()

    def checked(self, name: str, size: int) -> str:
        """Return the name of a member; it must lie inside, be met once and not be too large.

        Raises InputError otherwise, also once all members together are too large.
        """
        where = f"{self._shown}: {name.encode('utf-8', 'backslashreplace').decode()}"
        _refuse_undecodable(name, self._shown)
        parts = PurePosixPath(name.replace("\\", "/"))
        if not parts.parts:
            raise refuse(where, "has no name; rebuild the archive")
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise refuse(
                where, "points outside the archive; rebuild the archive without such names"
            )
        if size > MAX_MEMBER_BYTES:
            raise refuse(where, f"is larger than {MAX_MEMBER_BYTES >> 30} GiB; split it")
        self._total_bytes += size
        most = min(MAX_TOTAL_BYTES, max(FREE_BYTES, MAX_PACKING * self._packed_bytes))
        if self._total_bytes > most:
            message = (
                f"unpacks to more than {most >> 20:,} MiB, {most // max(self._packed_bytes, 1):,} "
                "times its packed size; check its contents, or unpack it and name the folder"
            )
            raise refuse(self._shown, message)
        shown = parts.as_posix()
        if shown in self._seen:
            raise refuse(where, "is in the archive twice; rebuild the archive with only one")
        self._seen.add(shown)
        return shown


def _zip(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files in a zip archive, no more than each claims to hold."""
    inventory = _Inventory(path, shown)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted(archive.infolist(), key=lambda each: each.filename)
            files = [each for each in entries if not each.is_dir()]
            named = [(inventory.checked(each.filename, each.file_size), each) for each in files]
            for name, entry in named:
                if not _hidden(name):
                    with archive.open(entry) as member:
                        yield name, member.read(entry.file_size + 1)[: entry.file_size]
    except _DAMAGED as error:
        raise _damaged(shown, error) from None


def _tar(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files in a tar archive; links are refused."""
    inventory = _Inventory(path, shown)
    try:
        with tarfile.open(path) as archive:
            named: list[tuple[str, tarfile.TarInfo]] = []
            for entry in archive:
                if entry.isdir():
                    continue
                name = inventory.checked(entry.name, entry.size)
                if entry.issym() or entry.islnk():
                    raise refuse(f"{shown}: {name}", "is a link; pack the file that it points to")
                if entry.isfile() and not _hidden(name):
                    named.append((name, entry))
            for name, entry in sorted(named, key=lambda each: each[0]):
                content = archive.extractfile(entry)
                if content is not None:
                    yield name, content.read()
    except _DAMAGED as error:
        raise _damaged(shown, error) from None


def _damaged(shown: str, error: BaseException) -> Exception:
    """Return what is said of an archive that cannot be read."""
    told = str(error).splitlines()[0][:100] if str(error) else "it is truncated"
    return refuse(shown, f"is a damaged archive ({told}); rebuild it")

"""The files of a trace: a folder, or a zip or tar archive read without unpacking it."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from .problems import refuse

MAX_MEMBER_BYTES = 1 << 30


def members(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file, sorted by name; hidden files are left out.

    Names with ``..``, absolute names and links in an archive are refused: what it holds must
    lie inside it. Raises InputError.
    """
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file())
        for each in found:
            name = each.relative_to(path).as_posix()
            if not _hidden(name):
                yield name, _read(each, f"{shown}/{name}")
        return
    if not path.exists():
        raise refuse(shown, "no such folder or archive; check workload.source.path")
    if zipfile.is_zipfile(path):
        yield from _zip(path, shown)
    elif tarfile.is_tarfile(path):
        yield from _tar(path, shown)
    else:
        raise refuse(shown, "neither a folder nor a zip or tar archive")


def read_file(path: Path, shown: str) -> bytes:
    """Return the content of one file. Raises InputError."""
    if path.is_dir():
        raise refuse(shown, "is a folder; name a file")
    return _read(path, shown)


def _read(path: Path, shown: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refuse(shown, f"cannot be read: {error.strerror}") from None


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _checked(name: str, size: int, shown: str) -> str:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise refuse(
            f"{shown}: {name}", "leads out of the archive; pack it anew without such names"
        )
    if size > MAX_MEMBER_BYTES:
        raise refuse(f"{shown}: {name}", f"is larger than {MAX_MEMBER_BYTES >> 30} GiB; split it")
    return parts.as_posix()


def _zip(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted(archive.infolist(), key=lambda each: each.filename)
            files = [each for each in entries if not each.is_dir()]
            named = [(_checked(each.filename, each.file_size, shown), each) for each in files]
            for name, entry in named:
                if not _hidden(name):
                    yield name, archive.read(entry)
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError) as error:
        raise refuse(shown, f"is a damaged archive ({error}); pack it anew") from None


def _tar(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            entries = sorted(archive.getmembers(), key=lambda each: each.name)
            for entry in entries:
                name = _checked(entry.name, entry.size, shown)
                if entry.issym() or entry.islnk():
                    raise refuse(f"{shown}: {name}", "is a link; pack the file itself")
            for entry in entries:
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is not None and not _hidden(entry.name):
                    yield PurePosixPath(entry.name).as_posix(), content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise refuse(shown, f"is a damaged archive ({error}); pack it anew") from None

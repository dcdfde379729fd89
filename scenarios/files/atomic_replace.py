"""Replace a file or directory atomically.

What is new is written into a hidden directory beside its destination and then takes its place:
two directories are exchanged by one system call where the system has it. Elsewhere the earlier
one is set aside for an instant; a process killed in that instant leaves it in the hidden
directory, from which ``recover``, called by the next reader or writer, brings it back.

A hidden directory holds a file that says whose it is and that its process holds a lock on, so
the next writer to the same place can tell what a killed process left and removes that alone.
"""

import ctypes
import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ..errors.problems import InputError, refuse
from .destination import (
    WRITER,
    foreign_files,
    is_empty,
    kind_at,
    read_record,
    refuse_directory,
    refuse_file,
    reporting_os_errors,
)

try:
    fcntl: Any = import_module("fcntl")
except ImportError:  # a system without such locks
    fcntl = None

OWNER, NEW, OLD = "owner.json", "new", "old"
WAIT_S: Final = 30.0
TRIES: Final = 5
_AT_CWD, _EXCHANGE = -100, 2
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EPERM}


def named(path: str | Path) -> Path:
    """Return a path that ends in a name, which ``.`` and ``..`` are not."""
    path = Path(path)
    return path.resolve() if path.name in {"", ".."} else path


@contextmanager
def replacing_directory(directory: Path, kind: str, checked: bool = False) -> Iterator[Path]:
    """Give an empty directory to write into, which takes the place of a directory at the end.

    If writing fails the directory stays as it was. What is written must be sealed as ``kind``.
    Raises InputError if something else is in the way, or the system refuses to write. With
    ``checked`` the place was free before a long run: if it no longer is, the result is written
    beside it, and the InputError says where.
    """
    if not checked:
        refuse_directory(directory, kind)
    with reporting_os_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _workplace(directory) as hidden:
            new = hidden / NEW
            new.mkdir()
            yield new
            with _locked(directory.parent):
                try:
                    refuse_directory(directory, kind)
                except InputError as error:
                    raise _kept(error, new, directory) from None
                _take_place(new, directory, hidden / OLD)


def _kept(error: InputError, new: Path, directory: Path) -> InputError:
    """Keep a result whose place was taken while it was made; say where it is."""
    for number in range(2, 100):
        other = directory.with_name(f"{directory.name}-{number}")
        if kind_at(other) is None:
            new.rename(other)
            problem = error.problems[0]
            return refuse(problem.where, f"{problem.message}. The new result is in {other}")
    return error


def replace_text(path: Path, text: str, mine: Callable[[Path], bool], what: str) -> None:
    """Write a file whole or not at all.

    It may be new, or one that ``mine`` knows as farmsim's own, ``what``. Raises InputError if
    something else is in the way, or the system refuses to write.
    """
    refuse_file(path, mine, what)
    with reporting_os_errors(path), _workplace(path) as hidden:
        (hidden / NEW).write_text(text, "utf-8")
        refuse_file(path, mine, what)
        (hidden / NEW).replace(path)


def recover(directory: Path) -> None:
    """Bring back a directory that a killed process had set aside, if it is missing."""
    if kind_at(directory) is not None or not directory.parent.is_dir():
        return
    with suppress(OSError), _locked(directory.parent):
        if kind_at(directory) is None:
            _clean(directory)


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """Give a hidden directory beside a target; it is gone at the end."""
    held: int | None = None
    hidden: Path | None = None
    try:
        with _locked(target.parent):
            _clean(target)
            hidden = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
            held = _claim(hidden, target)
        yield hidden
    finally:
        if hidden is not None:
            _restore(hidden, target)
            _discard(hidden)
        if held is not None:
            os.close(held)


def _prefix(target: Path) -> str:
    """Return how hidden directories for a target are called, however long its own name is."""
    return f".farmsim-{sha256(os.fsencode(target.name)).hexdigest()[:12]}-"


@contextmanager
def _locked(parent: Path) -> Iterator[None]:
    """Hold a directory while hidden ones are made, removed or take a place.

    Where the system or the file system has no locks, nothing is held.
    """
    try:
        held = os.open(parent, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        end_s = time.monotonic() + WAIT_S
        while not _lock(held) and time.monotonic() < end_s:
            time.sleep(0.02)
        yield
    finally:
        os.close(held)


def _lock(held: int) -> bool:
    """Lock an open file unless another process has; True also where there are no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _claim(hidden: Path, target: Path) -> int:
    """Write whose a hidden directory is; return the open file, locked as long as it is open."""
    held = os.open(hidden / OWNER, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    _lock(held)
    said = {"written_by": WRITER, "for": target.name.encode("utf-8", "replace").decode()}
    os.write(held, json.dumps(said).encode())
    return held


def _clean(target: Path) -> None:
    """Remove what killed processes left beside a target, bringing back what they set aside."""
    prefix = _prefix(target)
    with os.scandir(target.parent) as found:
        left = [Path(each.path) for each in found if each.name.startswith(prefix)]
    for hidden in sorted(left):
        held = _abandoned(hidden)
        if held is None:
            continue
        try:
            _restore(hidden, target)
            _discard(hidden)
        finally:
            os.close(held)


def _abandoned(hidden: Path) -> int | None:
    """Lock a hidden directory that farmsim made and no process holds; None if it is not one."""
    if kind_at(hidden) != "directory":
        return None
    if fcntl is None or kind_at(hidden / OWNER) != "file":
        with suppress(OSError):
            hidden.rmdir()  # a process was killed before it wrote anything into it
        return None
    held = None
    with suppress(OSError, ValueError):
        held = os.open(hidden / OWNER, os.O_RDWR | os.O_NOFOLLOW)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        said = os.read(held, 4096)
        if not said or json.loads(said)["written_by"] == WRITER:
            return held
    if held is not None:
        os.close(held)
    return None


def _restore(hidden: Path, target: Path) -> None:
    """Put back what was set aside, if nothing took its place."""
    if kind_at(hidden / OLD) == "directory" and kind_at(target) is None:
        (hidden / OLD).rename(target)


def _discard(hidden: Path) -> None:
    """Remove a hidden directory, unless someone put a file into the result that it holds."""
    with suppress(OSError):
        held = [each for each in (hidden / NEW, hidden / OLD) if kind_at(each) == "directory"]
        for each in held:
            if read_record(each) is not None and foreign_files(each, contents=False):
                return
        for each in held:
            shutil.rmtree(each)
        (hidden / NEW).unlink(missing_ok=True)
        # Last, since it proves whose the directory is if this process is killed on the way.
        (hidden / OWNER).unlink(missing_ok=True)
        hidden.rmdir()


def _take_place(new: Path, directory: Path, aside: Path) -> None:
    """Put a new directory where an earlier one, or nothing, is."""
    for _ in range(TRIES):
        if kind_at(directory) is None or is_empty(directory):
            try:
                new.rename(directory)
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
            else:
                return
        if exchange(new, directory):
            return
        directory.rename(aside)
        try:
            new.rename(directory)
        except OSError:
            aside.rename(directory)
            raise
        return
    raise refuse(str(directory), "is being written by another process; choose another directory")


def exchange(one: Path, other: Path) -> bool:
    """Exchange two directories at once; False where the system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    done = call(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE)
    if done == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise OSError(code, os.strerror(code))

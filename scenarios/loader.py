"""Load a scenario text: its data, positions of values, and overrides.

What the document means is checked by ``scenario.py``.
"""

from collections.abc import Sequence
from dataclasses import field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..models.base.lazy_dataclass import dataclass
from .errors.problems import refuse
from .errors.suggest import unknown_name
from .language.defaults import KEY, opened
from .language.yaml_text import Document, YamlError, parse
from .language.yaml_text import Path as Place

LIBRARY = "library/"


@dataclass(frozen=True)
class Origin:
    """Origin of a value that is not at its position in the file.

    ``where`` is what messages begin with, such as ``--set seed=x``; ``field`` is put before the
    path in messages, ``order`` (line, column) sorts them; overrides come last.
    """

    where: str
    order: tuple[int, int] = (1 << 30, 0)
    field: str = ""


@dataclass
class Written:
    """A scenario as it was written: data, places, and what was put over it.

    ``where`` names the file in messages, ``folder`` is where relative paths start (None: here).
    ``origins`` tells by path what was put over the document by ``--set`` or a variant.
    """

    document: Document
    where: str
    folder: Path | None
    origins: dict[Place, Origin] = field(default_factory=dict)

    def put(self, dotted: str, value: Any, origin: Origin) -> None:
        """Set the value at a dotted path. Raises InputError if there can be no such place."""
        self.origins[self.replace(dotted, value, origin.where)] = origin

    def replace(self, dotted: str, value: Any, where: str) -> Place:
        """Set the value at a dotted path and return its place.

        Raises InputError, which names ``where``, if there can be no such place.
        """
        data = self.document.data
        place = _put(data, dotted.split("."), value, where)
        if KEY in data and place[0] != KEY:
            data[KEY] = opened(data, place)
        return place

    def override(self, overrides: Sequence[str]) -> None:
        """Put the values of texts such as ``seed=2``, which are read as YAML.

        Raises InputError for a text without ``=``, a value that is no YAML, or a path to nowhere.
        """
        for text in overrides:
            where = f"--set {_short(text, 400)}"
            dotted, equals, value = text.partition("=")
            if not equals or not dotted:
                raise refuse(where, "not path=value; write, for example, seed=2")
            try:
                self.put(dotted, parse(value).data, Origin(where))
            except YamlError as error:
                raise refuse(where, error.message) from None

    def origin(self, path: Place) -> Origin:
        """Return what set the value at a path, something around it or something in it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        for place, origin in self.origins.items():
            if path and place[: len(path)] == path:
                return origin
        if () in self.origins:
            return self.origins[()]
        if not self.document.values:
            return Origin(self.where, (0, 0))
        line, column = self.document.find(path)
        return Origin(f"{self.where}:{line}:{column}", (line, column))


def library() -> dict[str, Path]:
    """Return the scenario files that come with farmsim, by name."""
    folder = Path(str(files("farmsim.scenarios") / "library"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def resolve(name: str | Path) -> Path:
    """Return the file that a name stands for: a path, or ``library/NAME``.

    A file of that path goes before the library. Raises InputError if there is none.
    """
    path, text = Path(name), str(name)
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise refuse(_short(text), f"cannot be read: {error.strerror}") from None
    if text.startswith(LIBRARY):
        known = library()
        stem = text.removeprefix(LIBRARY).removesuffix(".yaml")
        if stem in known:
            return known[stem]
        raise refuse(text, unknown_name("library scenario", stem, known))
    if path.is_dir():
        raise refuse(text, "is a folder; give a scenario file")
    raise refuse(text, "no such file; give a scenario file or library/NAME")


def read(name: str | Path, overrides: Sequence[str] = ()) -> Written:
    """Read a scenario file without checking what it means.

    ``overrides`` such as ``"seed=2"`` are put over it. Raises InputError if it cannot be read, is
    not UTF-8 or not strict YAML.
    """
    path = resolve(name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(str(name), f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise refuse(str(name), f"cannot be read: {error.strerror}") from None
    return read_text(text, str(name), path.parent, overrides)


def read_text(
    text: str, where: str, folder: Path | None = None, overrides: Sequence[str] = ()
) -> Written:
    """Read a scenario from text; relative paths in it start at ``folder``. Raises InputError."""
    try:
        document = parse(text)
    except YamlError as error:
        line, column = error.mark
        raise refuse(f"{where}:{line}:{column}", error.message) from None
    if not isinstance(document.data, dict):
        raise refuse(f"{where}:1:1", "not a mapping; start with farm: and workload:")
    written = Written(document, where, folder)
    written.override(overrides)
    return written


def _put(data: dict[str, Any], steps: list[str], value: Any, where: str) -> Place:
    """Set the value at the steps of a path within data, and return its place.

    Lists are entered by number or by the name of an entry, mappings that are missing are made.
    Raises InputError, which names ``where``, if a step leads nowhere.
    """
    here: Any = data
    place: list[str | int] = []
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        key: str | int = step
        if isinstance(here, list):
            key = _entry(here, step, where)
        elif not isinstance(here, dict):
            shown = ".".join(str(each) for each in place)
            raise refuse(where, f"{shown} has no fields; shorten the path")
        place.append(key)
        if last:
            here[key] = value
        elif isinstance(here, dict):
            below = here.get(step)
            if isinstance(below, str) and step in ("control", "placement", "overload"):
                below = {"policy": below}
            here[step] = {} if below is None else below
            here = here[step]
        else:
            here = here[key]
    return tuple(place)


def _entry(entries: list[Any], step: str, where: str) -> int:
    """Return the index of a list entry given by number or by its name."""
    number = step.lstrip("0") or "0"
    if step.isascii() and step.isdigit() and len(number) < 10 and int(number) < len(entries):
        return int(number)
    names = [each.get("name") if isinstance(each, dict) else None for each in entries]
    if step in names:
        return names.index(step)
    known = ", ".join(str(name) for name in names if name) or "none has a name"
    raise refuse(
        where,
        f"no entry {_short(step)!r}; use a number from 0 to {len(entries) - 1} or a name: {known}",
    )


def _short(text: str, most: int = 60) -> str:
    """Return a text, or its beginning and its length where it is longer than ``most``."""
    return text if len(text) <= most else f"{text[: most - 20]}… ({len(text):,} characters)"

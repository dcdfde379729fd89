"""A file becomes a scenario, or a list of everything that is wrong with it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from .errors.problems import InputError, refuse, told
from .errors.suggest import unknown_name
from .language.defaults import KEY, opened, places_of, unwritten, value_at, without
from .language.error_messages import sentences
from .language.yaml_text import Document, YamlError, parse
from .language.yaml_text import Path as Place
from .scenario import Scenario
from .spec.scenario_data import ScenarioData

LIBRARY = "library/"


@dataclass(frozen=True)
class Origin:
    """Where a value came from that does not stand at its place in the file.

    ``field`` is put before the path in messages, ``order`` sorts them.
    """

    where: str
    order: tuple[int, int] = (1 << 30, 0)
    field: str = ""


@dataclass
class Written:
    """A scenario as it was written; ``origins`` tells what was put over it, by path."""

    document: Document
    where: str = ""
    folder: Path | None = None
    origins: dict[Place, Origin] = field(default_factory=dict)

    def put(self, dotted: str, value: Any, origin: Origin) -> None:
        """Set the value at a dotted path. Raises InputError if there can be no such place."""
        place = _put(self.document.data, dotted.split("."), value, origin.where)
        if KEY in self.document.data and place[0] != KEY:
            self.document.data[KEY] = opened(self.document.data, place)
        self.origins[place] = origin

    def override(self, overrides: Sequence[str]) -> None:
        """Put the values of texts such as ``seed=2``. Raises InputError."""
        for text in overrides:
            where = f"--set {_short(text, 400)}"
            dotted, equals, value = text.partition("=")
            if not equals or not dotted:
                raise refuse(where, "not path=value; write, for example, seed=2")
            try:
                self.put(dotted, parse(value).data, Origin(where))
            except YamlError as error:
                raise refuse(where, error.message) from None

    def scenario(self, allow_code: bool = False) -> Scenario:
        """Return the scenario that it stands for. Raises InputError with all that is wrong."""
        return _validated(self, allow_code)


def library() -> dict[str, Path]:
    """Return the scenario files that come with farmsim, by name."""
    folder = Path(str(files("farmsim.scenarios") / "library"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def resolve(name: str | Path) -> Path:
    """Return the file that a name stands for: a path, or ``library/NAME``.

    Raises InputError if there is none.
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
        raise refuse(text, "is a folder; name a scenario file")
    raise refuse(text, "no such file; name a scenario file or library/NAME")


def load(name: str | Path, overrides: Sequence[str] = (), allow_code: bool = False) -> Scenario:
    """Load a scenario file. Raises InputError with all that is wrong."""
    return read(name, overrides).scenario(allow_code)


def read(name: str | Path, overrides: Sequence[str] = ()) -> Written:
    """Read a scenario file without checking what it means. Raises InputError."""
    path = resolve(name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(str(name), f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise refuse(str(name), f"cannot be read: {error.strerror}") from None
    return _read_text(text, str(name), path.parent, overrides)


def loads(
    text: str,
    where: str = "scenario",
    folder: Path | None = None,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
) -> Scenario:
    """Load a scenario from text; relative paths in it start at ``folder``."""
    return _read_text(text, where, folder, overrides).scenario(allow_code)


def _read_text(text: str, where: str, folder: Path | None, overrides: Sequence[str]) -> Written:
    try:
        document = parse(text)
    except YamlError as error:
        line, column = error.mark
        raise refuse(f"{where}:{line}:{column}", error.message) from None
    if not isinstance(document.data, dict):
        raise refuse(f"{where}:1:1", "not a mapping; begin with farm: and workload:")
    written = Written(document, where, folder)
    written.override(overrides)
    return written


def from_mapping(
    data: Mapping[str, Any], folder: Path | None = None, allow_code: bool = False
) -> Scenario:
    """Make a scenario from nested mappings, as a YAML file would give them."""
    return Written(Document(copy.deepcopy(dict(data))), "", folder).scenario(allow_code)


def changed(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return a copy with values at dotted paths replaced."""
    written = rewritten(scenario)
    for dotted, value in changes.items():
        shown = value if not isinstance(value, Scenario) else value.name
        # A later path may lie below this one; what the caller gave is not ours to change.
        own = copy.deepcopy(value)
        data = written.document.data
        place = _put(data, dotted.split("."), own, f"--set {dotted}={shown}")
        if place[0] != KEY:
            data[KEY] = opened(data, place)
    return written.scenario(allow_code=True)


def overridden(scenario: Scenario, overrides: Sequence[str]) -> Scenario:
    """Return a copy changed by ``path=value`` texts, as the command line takes them."""
    written = rewritten(scenario)
    written.override(overrides)
    return written.scenario(allow_code=True)


def rewritten(scenario: Scenario) -> Written:
    """Return a scenario as it might have been written: what it leaves open stays open."""
    return Written(Document(_resolved(scenario)), "", scenario.folder)


def _validated(written: Written, allow_code: bool) -> Scenario:
    document = written.document
    try:
        scenario = _with_defaults(document.data, {"allow_code": allow_code})
    except ValidationError as error:
        found = sentences(error, Scenario, document.data)
        located = [(_origin(path, written), path, text) for path, text in found]
        located.sort(key=lambda each: each[0].order)
        raise InputError(
            told(place.where, ".".join(filter(None, (place.field, *map(str, path)))), text)
            for place, path, text in located
        ) from None
    scenario = scenario.with_places(lambda path: _origin(path, written).where)
    return scenario.in_folder(written.folder)


def _with_defaults(data: Any, context: dict[str, Any]) -> Scenario:
    """Return the scenario of a document, values listed as defaults taken as not written.

    Those that are other than the default were changed since: they are written. Raises
    ValidationError.
    """
    places = places_of(data) if isinstance(data, dict) else []
    if not places:
        return Scenario.model_validate(data, context=context)
    try:
        scenario = Scenario.model_validate(without(data, places), context=context)
        shown = _resolved(scenario)
        same = [place for place in places if value_at(shown, place) == value_at(data, place)]
        if len(same) == len(places):
            return scenario
        return Scenario.model_validate(without(data, same), context=context)
    except ValidationError:
        # What is wrong is told of the document as it stands.
        return Scenario.model_validate(without(data, []), context=context)


def _origin(path: Place, written: Written) -> Origin:
    """Return what set the value at a path, something around it or something in it."""
    for length in range(len(path), 0, -1):
        if path[:length] in written.origins:
            return written.origins[path[:length]]
    for place, origin in written.origins.items():
        if path and place[: len(path)] == path:
            return origin
    if () in written.origins:
        return written.origins[()]
    if not written.document.values:
        return Origin(written.where, (0, 0))
    line, column = written.document.find(path)
    return Origin(f"{written.where}:{line}:{column}", (line, column))


def _put(data: dict[str, Any], steps: list[str], value: Any, where: str) -> Place:
    here: Any = data
    place: list[str | int] = []
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        key: str | int = step
        if isinstance(here, list):
            key = _entry(here, step, where)
        elif not isinstance(here, dict):
            shown = ".".join(str(each) for each in place)
            raise refuse(where, f"{shown} has nothing below it; shorten the path")
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
    known = ", ".join(str(name) for name in names if name) or "none named"
    raise refuse(
        where,
        f"no entry {_short(step)!r}; count from 0 to {len(entries) - 1} or use a name: {known}",
    )


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 20]}… ({len(text):,} characters)"


def dump(scenario: ScenarioData) -> str:
    """Return a scenario as YAML with every default written out.

    What comes with a trace or with arrivals is no default: it stays unwritten.
    """
    return yaml.dump(_resolved(scenario), sort_keys=False, allow_unicode=True, width=100)


def _resolved(scenario: ScenarioData) -> dict[str, Any]:
    """Return a scenario as it is written out, with the list of values that nobody wrote."""
    data = scenario.model_dump(by_alias=True, mode="python")
    for name in scenario.workload.unwritten:
        del data["workload"][name]
    del data[KEY]
    plain: dict[str, Any] = _plain(data)
    return {**plain, KEY: unwritten(scenario, plain)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value

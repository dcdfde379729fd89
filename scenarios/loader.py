"""A file becomes a scenario, or a list of everything that is wrong with it."""

import copy
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from .explain import sentences
from .problems import InputError, Problem, refuse
from .scenario import Scenario
from .suggest import unknown_name
from .yaml_text import Document, YamlError, parse
from .yaml_text import Path as Place

LIBRARY = "library/"


def library() -> dict[str, Path]:
    """Return the scenario files that come with farmsim, by name."""
    folder = Path(str(files(__package__ or "farmsim.scenarios") / "library"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def resolve(name: str | Path) -> Path:
    """Return the file that a name stands for: a path, or ``library/NAME``.

    Raises InputError if there is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    text = str(name)
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
    path = resolve(name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(str(name), f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise refuse(str(name), f"cannot be read: {error.strerror}") from None
    return loads(text, str(name), path.parent, overrides, allow_code)


def loads(
    text: str,
    where: str = "scenario",
    folder: Path | None = None,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
) -> Scenario:
    """Load a scenario from text; relative paths in it start at ``folder``."""
    try:
        document = parse(text)
    except YamlError as error:
        line, column = error.mark
        raise refuse(f"{where}:{line}:{column}", error.message) from None
    if not isinstance(document.data, dict):
        raise refuse(f"{where}:1:1", "not a mapping; begin with farm: and workload:")
    origins = _override(document.data, overrides)
    return _validated(document, where, folder, allow_code, origins)


def from_mapping(
    data: Mapping[str, Any], folder: Path | None = None, allow_code: bool = False
) -> Scenario:
    """Make a scenario from nested mappings, as a YAML file would give them."""
    return _validated(Document(copy.deepcopy(dict(data))), "", folder, allow_code, {})


def changed(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return a copy with values at dotted paths replaced."""
    data = _open(scenario)
    for dotted, value in changes.items():
        shown = value if not isinstance(value, Scenario) else value.name
        _put(data, dotted.split("."), value, f"{dotted}={shown}")
    return _validated(Document(data), "", scenario.folder, True, {})


def overridden(scenario: Scenario, overrides: Sequence[str]) -> Scenario:
    """Return a copy changed by ``path=value`` texts, as the command line takes them."""
    data = _open(scenario)
    origins = _override(data, overrides)
    return _validated(Document(data), "", scenario.folder, True, origins)


def _open(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as mappings; what it leaves open of load, farm and prices stays open.

    There it matters whether a value was given: sizes that come with a trace, prices and boot
    times that are placeholders.
    """
    data = scenario.model_dump(by_alias=True, mode="python")
    given = scenario.model_dump(by_alias=True, mode="python", exclude_unset=True)
    data |= {part: given.get(part, {}) for part in ("farm", "workload", "cost")}
    plain: dict[str, Any] = _plain(data)
    return plain


def _validated(
    document: Document,
    where: str,
    folder: Path | None,
    allow_code: bool,
    origins: dict[Place, str],
) -> Scenario:
    try:
        scenario = Scenario.model_validate(document.data, context={"allow_code": allow_code})
    except ValidationError as error:
        found = sentences(error, Scenario, document.data)
        located = [(_place(path, document, where, origins), path, text) for path, text in found]
        located.sort(key=lambda each: each[0][1])
        raise InputError(
            Problem(place, ".".join(str(step) for step in path), text)
            for (place, _), path, text in located
        ) from None
    return scenario.in_folder(folder)


def _place(
    path: Place, document: Document, where: str, origins: dict[Place, str]
) -> tuple[str, tuple[int, int]]:
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return f"--set {origins[path[:length]]}", (1 << 30, 0)
    if not document.values:
        return where, (0, 0)
    line, column = document.find(path)
    return f"{where}:{line}:{column}", (line, column)


def _override(data: dict[str, Any], overrides: Sequence[str]) -> dict[Place, str]:
    """Apply ``path=value`` texts in place; return which paths they set."""
    origins: dict[Place, str] = {}
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if not equals or not dotted:
            raise refuse(f"--set {override}", "not path=value; write, for example, seed=2")
        try:
            value = parse(text).data
        except YamlError as error:
            raise refuse(f"--set {override}", error.message) from None
        origins[_put(data, dotted.split("."), value, override)] = override
    return origins


def _put(data: dict[str, Any], steps: list[str], value: Any, override: str) -> Place:
    here: Any = data
    place: list[str | int] = []
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        key: str | int = step
        if isinstance(here, list):
            key = _entry(here, step, override)
        elif not isinstance(here, dict):
            shown = ".".join(str(each) for each in place)
            raise refuse(f"--set {override}", f"{shown} has nothing below it; shorten the path")
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


def _entry(entries: list[Any], step: str, override: str) -> int:
    """Return the index of a list entry given by number or by its name."""
    if step.isdigit() and int(step) < len(entries):
        return int(step)
    names = [each.get("name") if isinstance(each, dict) else None for each in entries]
    if step in names:
        return names.index(step)
    known = ", ".join(str(name) for name in names if name) or "none named"
    raise refuse(
        f"--set {override}",
        f"no entry {step!r}; count from 0 to {len(entries) - 1} or use a name: {known}",
    )


def dump(scenario: Scenario) -> str:
    """Return a scenario as YAML with every default written out.

    Sizes that come with a trace are no default: they stay unwritten.
    """
    data = scenario.model_dump(by_alias=True, mode="python")
    if scenario.workload.sizes_from_trace:
        del data["workload"]["sizes"]
    return yaml.dump(_plain(data), sort_keys=False, allow_unicode=True, width=100)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value

"""Scenarios to compare: several files, or the variants of one, at one or three levels.

A variant is a mapping from dotted paths to values, put over the scenario that holds it as
``--set`` would put them. Everything is checked before anything runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from ..models.base.lazy_dataclass import dataclass
from .errors.problems import InputError, Problem, refuse
from .language.yaml_text import Document
from .loader import Origin, Written, read
from .scenario import Scenario, check_others, rewritten, validated

Source = str | Path | Mapping[str, Any] | Scenario
REFERENCE: Final = "base"
LEVELS: Final = ("low", "typical", "high")
TYPICAL: Final = "typical"
MAX_NAME: Final = 64
_FIXED: Final = {
    "seed": "all variants run on the same random numbers; set the seed of the scenario",
    "name": "the key of the variant is its name; remove this",
    "variants": "a variant cannot have variants; remove this",
    "farmsim": "a variant has the version of its scenario; remove this",
}


@dataclass(frozen=True)
class Levels:
    """The values that a parameter takes at the levels low, typical and high.

    ``path`` is dotted, values are as written in YAML.
    """

    path: str
    low: Any
    typical: Any
    high: Any


OVERHEADS: Final = Levels("overheads", "low", "typical", "high")
"""Every estimate of the hypervisor layer together at its low, typical and high value."""


@dataclass(frozen=True)
class Variant:
    """One variant: its name, its origin, and the scenario at each level.

    ``runs`` has the key ``typical`` alone, or all three levels.
    """

    name: str
    where: str
    field: str
    runs: Mapping[str, Scenario]

    @property
    def scenario(self) -> Scenario:
        """The scenario at the typical level."""
        return self.runs[TYPICAL]


@dataclass
class _Draft:
    """A variant before its levels are put in and it is checked.

    ``ready`` is the scenario where it was given as one and nothing is put over it. ``runs`` and
    ``problems`` are filled by the check.
    """

    name: str
    origin: Origin
    written: Written
    allow_code: bool
    ready: Scenario | None = None
    problems: list[Problem] = field(default_factory=list)
    runs: dict[str, Scenario] = field(default_factory=dict)


def expand(
    sources: Sequence[Source],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    levels: Levels | None = None,
    allow_code: bool = False,
) -> list[Variant]:
    """Return what is to be compared, the reference first where a variant is called ``base``.

    A source is a file, ``library/NAME``, nested mappings or a Scenario; one with ``variants``
    stands for these. ``overrides`` such as ``"farm.hosts.0.count=500"`` hold for every source.
    All get the seed of the reference, or ``seed``. Raises InputError with all that is wrong.
    """
    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    problems: list[Problem] = []
    drafts: list[_Draft] = []
    for source in sources:
        try:
            drafts += _drafts(source, overrides, allow_code, single=len(sources) == 1)
        except InputError as error:
            problems += error.problems
    for draft in drafts:
        problems += _check(draft, levels)
    _raise(problems)
    _raise(_comparable(drafts, levels))
    drafts.sort(key=lambda draft: draft.name != REFERENCE)
    return [_variant(draft, drafts[0].runs[TYPICAL].seed) for draft in drafts]


def check(source: Source, overrides: Sequence[str] = (), allow_code: bool = False) -> None:
    """Check a scenario and all its variants. Raises InputError with all that is wrong.

    The workload is read where there are rules of placement, since these name VMs.

    Traces are not read otherwise, so that a large one need not be there to check a scenario in
    time.
    """
    written, allow_code = _written(source, overrides, allow_code)
    scenario = validated(written, allow_code)
    scenario.check_paths()
    check_others(scenario)
    drafts = _drafts_of(written, scenario, allow_code, single=True)
    _raise([problem for draft in drafts for problem in _check(draft, None)])
    for draft in drafts:
        scenario = draft.runs[TYPICAL]
        check_others(scenario)
        if scenario.constraints or scenario.constraints_file:
            from .build.build import build  # noqa: PLC0415 - brings SimPy and the trace with it

            build(scenario)


def _raise(problems: list[Problem]) -> None:
    """Raise InputError if there is any problem, each told once."""
    if problems:
        raise InputError(dict.fromkeys(problems))


def _drafts(
    source: Source, overrides: Sequence[str], allow_code: bool, single: bool
) -> list[_Draft]:
    """Return the variants of a source, or the source itself."""
    written, allow_code = _written(source, overrides, allow_code)
    untouched = source if isinstance(source, Scenario) and not overrides else None
    scenario = untouched or validated(written, allow_code)
    return _drafts_of(written, scenario, allow_code, single)


def _drafts_of(
    written: Written, scenario: Scenario, allow_code: bool, single: bool
) -> list[_Draft]:
    """Return the variants of a scenario, or itself, of what was written and was checked."""
    if not scenario.variants:
        line, column = written.document.find(("name",))
        where = f"{written.where}:{line}:{column}" if written.document.values else written.where
        return [_Draft(scenario.name, Origin(where), written, allow_code, scenario)]
    drafts = []
    for name, changes in scenario.variants.items():
        draft = _varied(written, scenario.name, name, changes, allow_code)
        draft.name = name if single else f"{scenario.name}-{name}"
        drafts.append(draft)
    return drafts


def _written(source: Source, overrides: Sequence[str], allow_code: bool) -> tuple[Written, bool]:
    """Return a source as a written document, and whether its code is allowed.

    A Scenario was allowed its code when it was made. Raises InputError.
    """
    if isinstance(source, str | Path):
        return read(source, overrides), allow_code
    if isinstance(source, Scenario):
        written, allow_code = rewritten(source), True
    else:
        written = Written(Document(_copied(dict(source))), "", Path())
    written.override(overrides)
    return written, allow_code


def _varied(
    base: Written, scenario: str, name: str, changes: Mapping[str, Any], allow_code: bool
) -> _Draft:
    """Return a variant: the scenario with the changes put over it."""
    data = {key: _copied(value) for key, value in base.document.data.items() if key != "variants"}
    data["name"] = f"{scenario}-{name}"[:MAX_NAME]
    own = _origin(base, ("variants", name), f"variants.{name}")
    varied = Written(
        Document(data, base.document.keys, base.document.values),
        base.where,
        base.folder,
        dict(base.origins) | {(): own},
    )
    draft = _Draft(name, own, varied, allow_code)
    for dotted, value in changes.items():
        origin = _origin(base, ("variants", name, dotted), own.field)
        message = _FIXED.get(dotted.split(".")[0])
        try:
            if message:
                raise refuse(origin.where, message)
            varied.put(dotted, _copied(value), origin)
        except InputError as error:
            draft.problems += [
                Problem(each.where, f"{own.field}.{dotted}", each.message)
                for each in error.problems
            ]
    return draft


def _origin(base: Written, path: tuple[str, ...], named: str) -> Origin:
    """Return where a part of ``variants`` stands: in the file, or in an override."""
    for length in range(len(path), 0, -1):
        if path[:length] in base.origins:
            return Origin(base.origins[path[:length]].where, field=named)
    if not base.document.values:
        return Origin(base.where, (0, 0), named)
    line, column = base.document.find(path)
    return Origin(f"{base.where}:{line}:{column}", (line, column), named)


def _copied(value: Any) -> Any:
    """Return a copy in which nothing is shared: an alias in YAML is one object in many places."""
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(each) for each in value]
    return value


def _check(draft: _Draft, levels: Levels | None) -> list[Problem]:
    """Make the scenarios of a draft; return what is wrong with them."""
    try:
        if levels is None:
            draft.runs[TYPICAL] = draft.ready or validated(draft.written, draft.allow_code)
        else:
            draft.runs |= {level: _at(draft, levels, level) for level in LEVELS}
        draft.runs[TYPICAL].check_paths()
    except InputError as error:
        return draft.problems + error.problems
    return draft.problems


def _at(draft: _Draft, levels: Levels, level: str) -> Scenario:
    """Return the scenario of a draft at a level."""
    written = draft.written
    document = Document(
        _copied(written.document.data), written.document.keys, written.document.values
    )
    levelled = Written(document, written.where, written.folder, dict(written.origins))
    levelled.put(levels.path, getattr(levels, level), Origin(f"level {level}"))
    return validated(levelled, draft.allow_code)


def _comparable(drafts: list[_Draft], levels: Levels | None) -> list[Problem]:
    """Return why the drafts cannot stand side by side.

    They need names of their own, one currency, and power that was measured on their own hosts; one
    alone needs levels to be compared at.
    """
    if len(drafts) < 2 and levels is None:
        message = "nothing to compare with; give a second scenario or add variants:"
        if drafts[0].origin.field:
            message = "is the only variant; add a second, or base: {} for the scenario itself"
        return [Problem(drafts[0].origin.where, drafts[0].origin.field, message)]
    problems, seen = [], set[str]()
    wanted = drafts[0].runs[TYPICAL].cost.currency
    for draft in drafts:
        if draft.name.casefold() in seen:
            message = f"{draft.name!r} is the name of two variants; make the names unique"
            problems.append(Problem(draft.origin.where, draft.origin.field or "name", message))
        seen.add(draft.name.casefold())
        found = draft.runs[TYPICAL].cost.currency
        if found != wanted:
            message = f"uses {found}, {drafts[0].name} uses {wanted}; use one currency in all"
            where = _origin(draft.written, ("cost", "currency"), "").where
            path = ".".join(part for part in (draft.origin.field, "cost.currency") if part)
            problems.append(Problem(where, path, message))
    return [*problems, *_measured_elsewhere(drafts)]


def _measured_elsewhere(drafts: list[_Draft]) -> list[Problem]:
    """Return where a measured power of one farm would scale another.

    Each variant that differs from the first in its hosts would be made to draw the same power.
    """
    first, problems = drafts[0].runs[TYPICAL].farm, []
    measured = first.calibrate.measured_power if first.calibrate is not None else None
    for draft in drafts[1:]:
        farm = draft.runs[TYPICAL].farm
        own = farm.calibrate.measured_power if farm.calibrate is not None else None
        if measured is not None and own == measured and farm.hosts != first.hosts:
            message = (
                f"was measured on the hosts of {drafts[0].name}, and the hosts of {draft.name} "
                "differ; give factor here, which a run of the measured farm tells"
            )
            path = ".".join(
                part for part in (draft.origin.field, "farm.calibrate.measured_power") if part
            )
            problems.append(Problem(draft.origin.where, path, message))
    return problems


def _variant(draft: _Draft, seed: int) -> Variant:
    """Return a draft as a variant with the seed that all share."""
    runs = {
        level: scenario if scenario.seed == seed else _seeded(scenario, seed)
        for level, scenario in draft.runs.items()
    }
    return Variant(draft.name, draft.origin.where, draft.origin.field, runs)


def _seeded(scenario: Scenario, seed: int) -> Scenario:
    """Return a scenario with another seed."""
    return scenario.model_copy(update={"seed": seed})

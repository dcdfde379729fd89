"""A scenario in Python: loaded, changed, written back."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from .checks.applications import faults_of_applications
from .checks.failures import faults_of_failures
from .checks.host_groups import faults_of_group, faults_of_groups
from .checks.hypervisors import faults_of_hypervisors
from .checks.network import faults_of_downtimes, faults_of_network, faults_of_racks
from .checks.policies import faults_of_control, faults_of_reserve, faults_of_sleep, faults_of_start
from .checks.prices import currency_of, faults_of_prices
from .checks.times import faults_of_times
from .errors.problems import InputError, Problem, problem_of, refuse
from .language.defaults import KEY, places_of, unwritten, value_at, without
from .language.error_messages import listed, located, sentences
from .language.fields import Fault
from .language.yaml_text import Document
from .language.yaml_text import Path as Place
from .loader import Written, read, read_text
from .spec.cost import OtherScenario
from .spec.farm import HostGroup
from .spec.scenario_data import ScenarioData
from .spec.spec import Spec
from .traces.archive import fault_of

CHECKS: Final[tuple[Callable[[Spec], Iterable[Fault]], ...]] = (
    faults_of_hypervisors,
    faults_of_control,
    faults_of_start,
    faults_of_network,
    faults_of_downtimes,
    faults_of_racks,
    faults_of_applications,
    faults_of_reserve,
    faults_of_sleep,
    faults_of_times,
)
"""Checks of what parts say of each other; each takes parts that are right by themselves."""


class Scenario(ScenarioData):
    """One experiment, frozen; see :class:`farmsim.scenarios.spec.spec.Spec` for its content.

    Files that it names are looked for relative to its folder.

    It can be made from a file (:meth:`load`), from mappings (:meth:`of`) or from another one
    (:meth:`with_`); each checks everything, so that a scenario that exists can be built unless a
    file that it names is wrong.
    """

    def check_paths(self) -> None:
        """Check that the files it names are there. Raises InputError."""
        named = {
            "workload.source.path": getattr(self.workload.source, "path", None),
            "workload.source.trace.path": getattr(
                getattr(self.workload.source, "trace", None), "path", None
            ),
            "workload.vms_file": self.workload.vms_file,
            "workload.source.hosts_file": getattr(self.workload.source, "hosts_file", None),
            "workload.arrivals.path": getattr(self.workload.arrivals, "path", None),
            **{
                f"baseline.{index}.path" if len(self.baseline) > 1 else "baseline.path": path
                for index, each in enumerate(self.baseline)
                if (path := getattr(each, "path", None)) is not None
            },
            "constraints_file": self.constraints_file,
            **{
                f"applications.{index}.load.path": getattr(part.load, "path", None)
                for index, part in enumerate(self.applications)
            },
            **{
                f"failures.entries.{index}.table": entry.table
                for index, entry in enumerate(self.failures.entries)
            },
        }
        raise_for = [
            Problem(path, key, fault)
            for key, path in named.items()
            if path is not None and (fault := fault_of(self.folder / path))
        ]
        if raise_for:
            raise InputError(raise_for)

    @classmethod
    def load(cls, name: str | Path, *overrides: str, allow_code: bool = False) -> "Scenario":
        """Load a file or ``library/NAME``, with overrides such as ``"seed=2"``.

        ``allow_code`` lets it name policies that are code of the user's. Raises InputError with
        all that is wrong.
        """
        return validated(read(name, overrides), allow_code)

    @classmethod
    def of(
        cls, data: Mapping[str, Any], folder: str | Path = ".", allow_code: bool = False
    ) -> "Scenario":
        """Make a scenario from nested mappings, written as in YAML.

        Paths of files start at ``folder``. Raises InputError with all that is wrong.
        """
        document = Document(copy.deepcopy(dict(data)))
        return validated(Written(document, "", Path(folder)), allow_code)

    def with_(self, changes: Mapping[str, Any]) -> "Scenario":
        """Return a changed copy; keys are dotted paths, such as ``"farm.hosts.0.count"``.

        Raises InputError if the result is no valid scenario.
        """
        written = rewritten(self)
        for dotted, value in changes.items():
            shown = value if not isinstance(value, Scenario) else value.name
            # A later path may lie below this one; what the caller gave is not ours to change.
            written.replace(dotted, copy.deepcopy(value), f"--set {dotted}={shown}")
        return validated(written, allow_code=True)

    def override(self, *overrides: str) -> "Scenario":
        """Return a copy with overrides such as ``"seed=2"``. Raises InputError."""
        if not overrides:
            return self
        written = rewritten(self)
        written.override(overrides)
        return validated(written, allow_code=True)

    def to_yaml(self) -> str:
        """Return the scenario as YAML, every default written out."""
        return dump(self)


def from_text(
    text: str,
    where: str = "scenario",
    folder: Path | None = None,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
) -> Scenario:
    """Load a scenario from text, called ``where`` in messages.

    Paths of files start at ``folder``. Raises InputError with all that is wrong.
    """
    return validated(read_text(text, where, folder, overrides), allow_code)


def validated(written: Written, allow_code: bool = False) -> Scenario:
    """Return the scenario that a written document stands for.

    Each part is read by itself (``spec/``), then it is checked whether the parts go together
    (``checks/``). Raises InputError with all that is wrong, in the order of the document.
    """
    try:
        scenario = _with_defaults(written.document.data, {"allow_code": allow_code})
    except _FaultyError as error:
        located = [(written.origin(path), path, text) for path, text in error.faults]
        located.sort(key=lambda each: each[0].order)
        raise InputError(
            problem_of(place.where, ".".join(filter(None, (place.field, *map(str, path)))), text)
            for place, path, text in located
        ) from None
    scenario = scenario.with_places(lambda path: written.origin(path).where)
    return scenario.in_folder(written.folder)


class _FaultyError(Exception):
    """A document that is not a scenario: paths, and the fault at each."""

    def __init__(self, faults: Iterable[tuple[Place, str]]) -> None:
        self.faults = list(faults)
        super().__init__(self.faults)


def _with_defaults(data: Any, context: dict[str, Any]) -> Scenario:
    """Return the scenario of a document, values listed as defaults taken as not written.

    Those that are other than the default were changed since: they are written. Raises
    _FaultyError.
    """
    places = places_of(data) if isinstance(data, dict) else []
    if not places:
        return _checked(data, context)
    try:
        scenario = _checked(without(data, places), context)
        shown = _resolved(scenario)
        same = [place for place in places if value_at(shown, place) == value_at(data, place)]
        if len(same) == len(places):
            return scenario
        return _checked(without(data, same), context)
    except _FaultyError:
        # What is wrong is told of the document as it stands.
        return _checked(without(data, []), context)


def _checked(data: Any, context: dict[str, Any]) -> Scenario:
    """Read the parts of a document and check them together. Raises _FaultyError."""
    try:
        scenario = Scenario.model_validate(data, context=context)
    except ValidationError as error:
        readable = located(_faults_of_readable_groups(data, context), data)
        raise _FaultyError([*readable, *sentences(error, Scenario, data)]) from None
    for faults in (faults_of_groups, _faults_of_parts, faults_of_prices):
        found = list(faults(scenario))
        if found:
            raise _FaultyError(located(found, data))
    return scenario.in_currency(currency_of(scenario))


def _faults_of_readable_groups(data: Any, context: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with the groups of hosts that can be read where other parts cannot."""
    for index, written in enumerate(listed(data, ("farm", "hosts"))):
        try:
            group = HostGroup.model_validate(written, context=context)
        except ValidationError:
            continue
        for place, message in faults_of_group(group):
            yield ("farm", "hosts", index, *place), message


def _faults_of_parts(spec: Spec) -> Iterator[Fault]:
    """Yield all that does not go together between the parts of a scenario."""
    found = False
    for faults in CHECKS:
        for fault in faults(spec):
            found = True
            yield fault
    if not found:
        # What fails is told by names of racks and links, which have to be right first.
        yield from faults_of_failures(spec)


def rewritten(scenario: Scenario) -> Written:
    """Return a scenario as it might have been written: what it leaves open stays open."""
    return Written(Document(_resolved(scenario)), "", scenario.folder)


def check_others(scenario: Scenario) -> None:
    """Check the scenario files that a scenario names as baselines, without their loads.

    Raises InputError with all that is wrong with the first that is.
    """
    for baseline in scenario.baseline:
        if isinstance(baseline, OtherScenario):
            read_other(scenario, baseline)


def read_other(scenario: Scenario, baseline: OtherScenario) -> tuple[Written, Scenario]:
    """Read another scenario that one names as a baseline, as written and as a scenario.

    Raises InputError if it counts in another currency.
    """
    written = read(scenario.folder / baseline.path)
    other = validated(written)
    mine, found = scenario.cost.currency, other.cost.currency
    if found != mine:
        place, path = place_of(written, ("cost", "currency"))
        message = f"uses {found}, {scenario.name} uses {mine}; use one currency in both"
        raise refuse(place, message, path)
    return written, other


def place_of(written: Written, path: tuple[str, ...]) -> tuple[str, str]:
    """Return file, line and column of a value, and its dotted path."""
    line, column = written.document.find(path)
    return f"{written.where}:{line}:{column}", ".".join(path)


def dump(scenario: ScenarioData) -> str:
    """Return a scenario as YAML with every default written out.

    What comes with a trace or with arrivals is no default: it stays unwritten. Read again, it
    repeats the run: a list under ``defaults`` tells which values nobody wrote.
    """
    return yaml.dump(_resolved(scenario), sort_keys=False, allow_unicode=True, width=100)


def _resolved(scenario: ScenarioData) -> dict[str, Any]:
    """Return a scenario as written out, with the list of default values."""
    data = scenario.model_dump(by_alias=True, mode="python")
    for name in scenario.workload.unwritten:
        del data["workload"][name]
    for group in data["farm"]["hosts"]:
        if group["names"] is not None:  # which are counted
            del group["count"]
    del data[KEY]
    plain: dict[str, Any] = _plain(data)
    return {**plain, KEY: unwritten(scenario, plain)}


def _plain(value: Any) -> Any:
    """Return data with keys as texts, tuples as lists, and nothing that is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value

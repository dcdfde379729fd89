"""A scenario in Python: loaded, changed, written back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import PrivateAttr

from .errors.problems import InputError, Problem
from .language.yaml_text import Path as Place
from .readers.archive import fault_of
from .spec.spec import Spec

CHECKED_LATER: tuple[Place, ...] = (
    ("farm", "hosts"), ("workload",), ("workload", "vms"), ("workload", "sizes"),
    ("workload", "match"), ("workload", "source"), ("workload", "source", "block"),
    ("workload", "arrivals"), ("applications",), ("failures",), ("network", "layout"),
    ("policies", "control"), ("service", "microscope"), ("baseline",),
)  # fmt: skip
"""Fields whose faults may only show when files have been read and VMs placed."""


class Scenario(Spec):
    """One experiment, frozen; see :class:`farmsim.scenarios.spec.spec.Spec` for what it holds.

    Files that it names are looked for relative to its folder.
    """

    _folder: Path = PrivateAttr(default_factory=Path)
    _places: dict[Place, str] = PrivateAttr(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Folder that relative paths start from."""
        return self._folder

    def in_folder(self, folder: Path | None) -> Self:
        """Return the scenario with relative paths starting at another folder."""
        if folder is None:
            return self
        copy = self.model_copy()
        copy._folder = folder
        return copy

    def with_places(self, find: Callable[[Place], str]) -> Self:
        """Return the scenario knowing where stands what is checked once files have been read.

        ``find`` tells file, line and column of a path.
        """
        paths: list[Place] = [
            ("constraints", index, key) for index, rule in enumerate(self.constraints)
            for key in type(rule).model_fields
        ]  # fmt: skip
        paths += CHECKED_LATER
        paths += [("baseline", index) for index in range(len(self.baseline))]
        copy = self.model_copy()
        copy._places = {path: find(path) for path in paths}
        return copy

    def place(self, path: Place) -> str:
        """Return file, line and column of a path that is kept, empty if it has none."""
        return self._places.get(path, "")

    @contextmanager
    def telling_places(self) -> Iterator[None]:
        """Give errors that name a field of this scenario alone the place where it stands."""
        try:
            yield
        except InputError as error:
            raise InputError(self._told(each) for each in error.problems) from None

    def _told(self, problem: Problem) -> Problem:
        part = problem.where.partition(".")[0]
        if part not in ("workload", "baseline") and problem.where != self.name:
            return problem
        path: Place = tuple(int(key) if key.isdigit() else key for key in problem.field.split("."))
        while path and path not in self._places:
            path = path[:-1]
        where = self._places.get(path, "")
        return replace(problem, where=where) if where else problem

    def check_paths(self) -> None:
        """Check that the files it names are there. Raises InputError."""
        named = {
            "workload.source.path": getattr(self.workload.source, "path", None),
            "workload.source.of.path": getattr(
                getattr(self.workload.source, "of", None), "path", None
            ),
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

        Raises InputError with all that is wrong.
        """
        from .loader import load  # noqa: PLC0415 - the loader imports this module

        return load(name, overrides, allow_code)

    @classmethod
    def of(
        cls, data: Mapping[str, Any], folder: str | Path = ".", allow_code: bool = False
    ) -> "Scenario":
        """Make a scenario from nested mappings, written as in YAML. Raises InputError."""
        from .loader import from_mapping  # noqa: PLC0415

        return from_mapping(data, Path(folder), allow_code)

    def with_(self, changes: Mapping[str, Any]) -> "Scenario":
        """Return a changed copy; keys are dotted paths, such as ``"farm.hosts.0.count"``.

        Raises InputError if the result is no valid scenario.
        """
        from .loader import changed  # noqa: PLC0415

        return changed(self, changes)

    def override(self, *overrides: str) -> "Scenario":
        """Return a copy with overrides such as ``"seed=2"``. Raises InputError."""
        from .loader import overridden  # noqa: PLC0415

        return overridden(self, overrides) if overrides else self

    def to_yaml(self) -> str:
        """Return the scenario as YAML, every default written out."""
        from .loader import dump  # noqa: PLC0415

        return dump(self)

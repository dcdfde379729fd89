"""A scenario as data: what it says, the folder of its files, and where its fields were written.

Nothing here reads a file; ``scenarios/scenario.py`` makes a scenario of one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import PrivateAttr

from ..errors.problems import InputError, Problem
from ..language.yaml_text import Path as Place
from .spec import Spec

CHECKED_LATER: tuple[Place, ...] = (
    ("farm", "hosts"), ("workload",), ("workload", "vms"), ("workload", "sizes"),
    ("workload", "match_series_by"), ("workload", "vms_file"), ("workload", "source"),
    ("workload", "source", "block"), ("workload", "arrivals"), ("applications",), ("failures",),
    ("network", "layout"), ("policies", "control"), ("service", "simulate_requests"), ("baseline",),
)  # fmt: skip
"""Fields whose faults may only show when files have been read and VMs placed."""


class ScenarioData(Spec):
    """One experiment, frozen, with the folder that relative paths in it start from.

    It knows where in its file the fields stand that are checked once files have been read.

    Places are kept only for fields whose faults show after the file has been closed (CHECKED_LATER,
    rules, baselines): of a scenario made in Python there are none, and messages then begin with its
    name.
    """

    _folder: Path = PrivateAttr(default_factory=Path)
    _places: dict[Place, str] = PrivateAttr(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Folder that relative paths start from."""
        return self._folder

    def in_folder(self, folder: Path | None) -> Self:
        """Return the scenario with relative paths starting at another folder.

        None means the present working directory: the scenario itself is returned.
        """
        if folder is None:
            return self
        copy = self.model_copy()
        copy._folder = folder
        return copy

    def with_places(self, find: Callable[[Place], str]) -> Self:
        """Return the scenario knowing where stands what is checked once files are read.

        ``find`` tells file, line and column of a path. Kept are rules, baselines and CHECKED_LATER.
        """
        paths: list[Place] = [
            ("constraints", index, key)
            for index, rule in enumerate(self.constraints)
            for key in type(rule).model_fields
        ]
        paths += CHECKED_LATER
        paths += [("baseline", index) for index in range(len(self.baseline))]
        copy = self.model_copy()
        copy._places = {path: find(path) for path in paths}
        return copy

    def place(self, path: Place) -> str:
        """Return file, line and column of a path that is kept, empty if it has none.

        The text is ``file:line:column``; ``path`` is a tuple of keys and list indices such as
        ``("farm", "hosts")``.
        """
        return self._places.get(path, "")

    @contextmanager
    def locating_problems(self) -> Iterator[None]:
        """Give errors that name a field of this scenario alone its place.

        Raises InputError in place of one raised inside, with file, line and column where known.
        """
        try:
            yield
        except InputError as error:
            raise InputError(self._told(each) for each in error.problems) from None

    def _told(self, problem: Problem) -> Problem:
        """Return a problem with the place where its field stands, if that is kept.

        Where the field itself has no place, the nearest part around it that has one is taken.
        """
        part = problem.where.partition(".")[0]
        if part not in ("workload", "baseline") and problem.where != self.name:
            return problem
        path: Place = tuple(int(key) if key.isdigit() else key for key in problem.field.split("."))
        while path and path not in self._places:
            path = path[:-1]
        where = self._places.get(path, "")
        return replace(problem, where=where) if where else problem

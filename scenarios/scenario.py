"""A scenario in Python: loaded, changed, written back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors.problems import InputError, Problem
from .readers.archive import fault_of
from .spec.scenario_data import ScenarioData


class Scenario(ScenarioData):
    """One experiment, frozen; see :class:`farmsim.scenarios.spec.spec.Spec` for what it holds.

    Files that it names are looked for relative to its folder.
    """

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

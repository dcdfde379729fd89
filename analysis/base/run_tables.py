"""Tables, summary and baselines of a run, as read by pages, figures and topics."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

SCHEMA_VERSION = 1
"""Version of the format of summary and manifest."""


class RunTables(Protocol):
    """A completed run, either just run or read from its directory.

    ``summary`` maps each metric to ``{value, unit, ci95, n}`` (metrics that do not apply to the run
    are absent) and holds ``verdict``, ``warnings``, ``assumptions`` and the like; ``manifest`` says
    what was run and by which versions; ``scenario_yaml`` is the scenario with every default.
    ``tables`` are Arrow tables by name, unit and description of a column in the metadata of its
    field. ``baselines`` stand in the order of ``summary["baselines"]``.
    """

    @property
    def name(self) -> str:
        """Name of the scenario."""

    @property
    def title(self) -> str:
        """The farm and its control policy, such as ``40 hosts, dynamic_power``."""

    @property
    def summary(self) -> dict[str, Any]:
        """Metrics, verdict, warnings, assumptions."""

    @property
    def manifest(self) -> dict[str, Any]:
        """Seed, versions, hashes of the inputs."""

    @property
    def scenario_yaml(self) -> str:
        """The scenario with every default written out."""

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """Tables by name."""

    @property
    def baselines(self) -> "Sequence[RunTables]":
        """The runs that it was compared with."""

    @property
    def directory(self) -> Path | None:
        """Where it was read from or written to, None if it never was."""

    def value(self, metric: str) -> Any:
        """Return the value of a metric. Raises KeyError naming the metrics there are."""

    def figures(self) -> dict[str, float | None]:
        """Return the values of all metrics by name."""

    def table(self, name: str) -> pa.Table:
        """Return a table. Raises KeyError naming the tables there are."""

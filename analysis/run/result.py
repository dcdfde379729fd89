"""The result of a run, in a notebook or on disk."""

from collections.abc import Mapping
from dataclasses import field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...models.base.lazy_dataclass import dataclass
from ...scenarios.language.former_names import no_such
from ..base.plotting import as_plotly
from .run_directory import StoredRun, read, write

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from ..report.vm_history import VmHistory


@dataclass
class Result:
    """The outcome of a run, just played or read from its directory; the class that notebooks use.

    ``summary`` maps each metric to value, unit, 95 % confidence interval (None for a single
    replication) and number of replications, and holds ``verdict`` and ``warnings``. ``tables`` are
    Arrow tables by name, each column with unit and description in its field's metadata.
    ``baselines`` are the runs that it was compared with, in the order of the scenario.
    """

    name: str
    summary: dict[str, Any]
    manifest: dict[str, Any]
    scenario_yaml: str
    tables: Mapping[str, pa.Table]
    title: str = ""
    baselines: list["Result"] = field(default_factory=list)
    directory: Path | None = field(default=None, compare=False)

    @property
    def baseline(self) -> "Result | None":
        """The baseline of the saving metrics, the first one; None if there is none."""
        return self.baselines[0] if self.baselines else None

    def value(self, metric: str) -> Any:
        """Return the value of a metric. Raises KeyError naming the metrics there are."""
        entry = self.summary.get(metric)
        if not isinstance(entry, dict) or "value" not in entry:
            raise KeyError(no_such("metric", metric, self.metrics()))
        return entry["value"]

    def metrics(self) -> list[str]:
        """Return the names of all metrics."""
        return [
            name
            for name, entry in self.summary.items()
            if isinstance(entry, dict) and "unit" in entry
        ]

    def figures(self) -> dict[str, float | None]:
        """Return the values of all metrics by name."""
        return {name: self.summary[name]["value"] for name in self.metrics()}

    def table(self, name: str, *columns: str) -> pa.Table:
        """Return an Arrow table, of all columns or of some; ``.to_pandas()`` where pandas is.

        Raises KeyError naming the tables, or the columns, there are.
        """
        if name not in self.tables:
            raise KeyError(no_such("table", name, self.tables))
        table = self.tables[name]
        for column in columns:
            if column not in table.column_names:
                raise KeyError(no_such(f"column of {name}", column, table.column_names))
        return table.select(columns) if columns else table

    def figure(self, name: str) -> "go.Figure":
        """Return a Plotly figure. Raises KeyError naming the figures there are."""
        from ..report.figures import available_figures  # noqa: PLC0415

        figures = available_figures(self)
        if name not in figures:
            raise KeyError(no_such("figure", name, figures))
        return as_plotly(figures[name](self))

    def vm_history(self, vm: str) -> "VmHistory":
        """Return what happened to a VM, named exactly or by a pattern that it alone matches.

        Raises InputError naming the nearest VMs, or those that match.
        """
        from ..report.vm_history import history_of  # noqa: PLC0415 - story needs this module

        return history_of(self, vm)

    def save(self, directory: str | Path, checked: bool = False) -> Path:
        """Write the run directory including the report; return its path.

        Replaces an earlier run there. Raises InputError if something else is in the way, or it
        cannot be written. With ``checked`` the place was free before the run: if it no longer is,
        the run is written beside it, and the error says where.
        """
        write(self, Path(directory), checked)
        self.directory = Path(directory)
        return self.directory

    @classmethod
    def load(cls, directory: str | Path) -> "Result":
        """Read a run directory. Raises InputError if it is none, or damaged."""
        return cls._of(read(Path(directory)))

    @classmethod
    def _of(cls, run: StoredRun) -> "Result":
        """Return what was read from a run directory as a result, its baselines too."""
        return cls(
            name=run.name,
            summary=run.summary,
            manifest=run.manifest,
            scenario_yaml=run.scenario_yaml,
            tables=run.tables,
            title=run.title,
            baselines=[cls._of(each) for each in run.baselines],
            directory=run.directory,
        )

    def report(self) -> str:
        """Return the report as one HTML page."""
        from ..report.report import render  # noqa: PLC0415

        return render(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td style='text-align:right'>{_shown(self.value(name))}"
            f"</td><td>{escape(self.summary[name]['unit'])}</td></tr>"
            for name in self.metrics()
        )
        said = escape(str(self.summary["verdict"]))
        return f"<p><b>{escape(self.name)}</b>: {said}</p><table>{rows}</table>"

    def __repr__(self) -> str:
        return f"<Result {self.name}: {self.summary['verdict']}>"


def _shown(value: float | None) -> str:
    """Return a value of the notebook's table."""
    return "–" if value is None else f"{value:,.6g}"

"""Comparison of runs: every metric of every variant, differences from the first, ranges.

All variants run on common random numbers: the same seed, and streams of draws that do not
depend on the farm. A difference of one level is taken at that level on both sides.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from ...models.base.lazy_dataclass import dataclass
from ...models.base.metric_definitions import METRICS, SAVINGS, WHERE_KNOWN
from ...scenarios.errors.problems import InputError, Problem
from ...scenarios.errors.suggest import unknown_name
from ...scenarios.files.atomic_replace import named, replacing_directory
from ...scenarios.files.destination import looked_at, seal, write_json
from ...scenarios.variants import TYPICAL, Levels, Variant
from ..base.plotting import as_plotly
from ..base.run_tables import SCHEMA_VERSION
from ..measure.work_not_done import serving_as_much
from ..run.execute import Progress, execute
from ..run.result import Result
from ..run.run_directory import (
    COMPARED,
    TABLES,
    VARIANTS,
    read_json,
    read_manifest,
    write_run,
)
from .compare_notes import changes, notes, sentences
from .compare_rows import Row, row_of, table_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from .compare_report import ComparisonPage

COMPARISON, PAGE = "comparison.json", "compare.html"


@dataclass
class Comparison:
    """Variants compared; the first is the reference of all differences.

    ``runs`` holds the results of each variant by level: ``typical`` alone, or ``low``,
    ``typical`` and ``high``, where ``levels`` says which parameter they turn.

    ``directory`` is where it was read from or written to. Everything else is worked out from
    ``runs`` when it is asked for. A comparison of one variant has no differences.
    """

    name: str
    runs: dict[str, dict[str, Result]]
    levels: dict[str, Any] | None = None
    directory: Path | None = field(default=None, compare=False)

    @property
    def variants(self) -> list[str]:
        """Names of the variants, the reference first."""
        return list(self.runs)

    @property
    def reference(self) -> str:
        """Name of the variant that differences are against."""
        return self.variants[0]

    def result(self, variant: str, level: str = TYPICAL) -> Result:
        """Return the run of a variant. Raises KeyError naming what there is.

        ``level`` is ``low``, ``typical`` or ``high``.
        """
        if variant not in self.runs:
            raise KeyError(unknown_name("variant", variant, self.runs))
        if level not in self.runs[variant]:
            raise KeyError(unknown_name("level", level, self.runs[variant]))
        return self.runs[variant][level]

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Every metric that any variant has, by name.

        In the order of the definitions of metrics, those of one's own last. Variants may lack a
        metric, such as availability where nothing fails.
        """
        known = METRICS | WHERE_KNOWN | SAVINGS
        found = dict.fromkeys(
            name for levels in self.runs.values() for name in levels[TYPICAL].metrics()
        )
        order = [name for name in known if name in found]
        order += [name for name in found if name not in known]
        return {name: row_of(name, known.get(name), self.runs, self.serving) for name in order}

    @cached_property
    def serving(self) -> frozenset[str]:
        """The variants that serve as much work as any other; only these can be best.

        By :func:`~farmsim.analysis.measure.work_not_done.serving_as_much`; empty where none does.
        """
        return serving_as_much(self._figures)

    @cached_property
    def _figures(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Values of all metrics of each variant, by level."""
        return {
            name: {level: result.figures() for level, result in levels.items()}
            for name, levels in self.runs.items()
        }

    @cached_property
    def changes(self) -> dict[str, dict[str, str]]:
        """What differs between the scenarios: for each path, the value of each variant."""
        return changes({name: levels[TYPICAL].scenario_yaml for name, levels in self.runs.items()})

    @property
    def sentences(self) -> list[str]:
        """What each variant comes to against the reference, one sentence each.

        Hosts, energy and cost a year; or why nothing is claimed, where the two did not do the same
        work.
        """
        return sentences(self.rows, self._figures)

    @property
    def notes(self) -> list[str]:
        """What a reader has to know before relying on the differences."""
        results = {name: levels[TYPICAL] for name, levels in self.runs.items()}
        return notes(results, self.levels, self.serving)

    @property
    def _page(self) -> "ComparisonPage":
        """What the page shows of this comparison."""
        from .compare_report import ComparisonPage  # noqa: PLC0415

        return ComparisonPage(
            name=self.name,
            rows=self.rows,
            runs={name: levels[TYPICAL] for name, levels in self.runs.items()},
            sentences=self.sentences,
            notes=self.notes,
            failed_assertions=self.failed_assertions,
            changes=self.changes,
            has_band=self.levels is not None,
        )

    @property
    def failed_assertions(self) -> list[str]:
        """Assertions that a variant does not satisfy, at any level.

        Each led by the name of the run, ``variant`` or ``variant@level``.
        """
        return [
            f"{_label(name, level)}: {failure}"
            for name, levels in self.runs.items()
            for level, result in levels.items()
            for failure in result.summary["failed_assertions"]
        ]

    def to_table(self) -> pa.Table:
        """Return a tidy Arrow table, one row per metric and variant."""
        return table_of(self.rows.values(), self.reference)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``comparison.json``.

        ``variants`` says where the runs of each stand, ``metrics`` holds a cell for each variant,
        None where it lacks the metric; ``changes`` are the paths at which the scenarios differ.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "hash": self.hash,
            "reference": self.reference,
            "seed": self.result(self.reference).manifest["seed"],
            "levels": self.levels,
            "variants": {
                name: {
                    "scenario": levels[TYPICAL].name,
                    "title": levels[TYPICAL].title,
                    "verdict": levels[TYPICAL].summary["verdict"],
                    "runs": {level: f"{VARIANTS}/{_label(name, level)}" for level in levels},
                }
                for name, levels in self.runs.items()
            },
            "sentences": self.sentences,
            "notes": self.notes,
            "failed_assertions": self.failed_assertions,
            "changes": self.changes,
            "metrics": {
                row.name: {
                    "unit": row.unit,
                    "values": {name: cell and vars(cell) for name, cell in row.cells.items()},
                }
                for row in self.rows.values()
            },
        }

    @property
    def hash(self) -> str:
        """Hash of eight digits that differs if any run differs."""
        identity = [
            [name, level, result.manifest["hash"]]
            for name, levels in self.runs.items()
            for level, result in levels.items()
        ]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]

    def figure(self, name: str) -> "go.Figure":
        """Return a Plotly figure: ``metrics`` or ``power``. Raises KeyError."""
        from .compare_report import FIGURES  # noqa: PLC0415 - jinja is costly to import

        if name not in FIGURES:
            raise KeyError(unknown_name("figure", name, FIGURES))
        return as_plotly(FIGURES[name](self._page))

    def report(self, links: bool = False) -> str:
        """Return the comparison as one HTML page; ``links`` to the reports beside it."""
        from .compare_report import render  # noqa: PLC0415

        return render(self._page, links)

    def save(self, directory: str | Path, checked: bool = False) -> Path:
        """Write page, tables and every run below them; all of it or nothing.

        Replaces an earlier comparison there. Raises InputError if something else is in the way,
        or it cannot be written. With ``checked`` the place was free before the runs: if it no
        longer is, the comparison is written beside it, and the error says where.
        """
        directory = Path(directory)
        with replacing_directory(named(directory), COMPARED, checked) as partial:
            for name, levels in self.runs.items():
                for level, result in levels.items():
                    below = partial / VARIANTS / _label(name, level)
                    below.mkdir(parents=True)
                    write_run(result, below)
            (partial / TABLES).mkdir()
            path = partial / TABLES / "comparison.parquet"
            parquet.write_table(self.to_table(), path, compression="zstd")
            (partial / PAGE).write_text(self.report(links=True), "utf-8")
            write_json(partial / COMPARISON, self.to_dict())
            seal(partial, COMPARED, {"name": self.name, "hash": self.hash})
        self.directory = directory
        return directory

    @classmethod
    def load(cls, directory: str | Path) -> "Comparison":
        """Read a directory that ``save`` wrote. Raises InputError if it is none, or damaged."""
        directory = Path(directory)
        return looked_at(directory, lambda: cls._load(directory))

    @classmethod
    def _load(cls, directory: Path) -> "Comparison":
        """Read names and levels from ``comparison.json``, and the runs below the directory.

        Rows, sentences and notes are worked out anew.
        """
        _, record = read_manifest(directory, COMPARED)
        data = read_json(directory, COMPARISON, record)
        listed = {name: each["runs"] for name, each in data["variants"].items()}
        name, levels = data["name"], data["levels"]
        runs = {
            variant: {level: Result.load(directory / path) for level, path in paths.items()}
            for variant, paths in listed.items()
        }
        return cls(name, runs, levels, directory)

    def _repr_html_(self) -> str:
        from .compare_report import notebook  # noqa: PLC0415

        return notebook(self._page)

    def __repr__(self) -> str:
        return f"<Comparison {self.name}: {', '.join(self.variants)}>"


def _label(variant: str, level: str) -> str:
    """Return the folder of a run; no name of a variant has the sign between the two."""
    return variant if level == TYPICAL else f"{variant}@{level}"


def run_all(
    variants: Sequence[Variant], levels: Levels | None, progress: Progress | None = None
) -> Comparison:
    """Run every variant at every level; the first is the reference.

    Raises InputError, naming where the variant stands, if one cannot be run.

    Runs are made one after another, in the order given. ``levels`` None means the typical level
    only; ``progress`` is told which variant runs.
    """
    runs: dict[str, dict[str, Result]] = {variant.name: {} for variant in variants}
    for variant in variants:
        for level, scenario in variant.runs.items():
            show_progress = _labelled(progress, _label(variant.name, level))
            try:
                runs[variant.name][level] = execute(scenario, show_progress)
            except InputError as error:
                raise _located(error, variant) from None
    written = None if levels is None else {"path": levels.path, **_values(levels)}
    return Comparison(_name(variants), runs, written)


def _values(levels: Levels) -> dict[str, Any]:
    """Return the levels as they are written."""
    return {"low": levels.low, "typical": levels.typical, "high": levels.high}


def _name(variants: Sequence[Variant]) -> str:
    """Return a name for all: that of the scenario that they vary, or a general one."""
    first = variants[0]
    varied = all(each.field == f"variants.{each.name}" for each in variants)
    return first.scenario.name.removesuffix(f"-{first.name}") if varied else "comparison"


def _labelled(progress: Progress | None, label: str) -> Progress | None:
    """Let progress say which variant runs."""
    if progress is None:
        return None
    show_progress = progress

    def told(name: str, now_s: float, end_s: float) -> None:
        show_progress(f"{label}: {name}", now_s, end_s)

    return told


def _located(error: InputError, variant: Variant) -> InputError:
    """Say in which variant a run failed."""
    return InputError(
        Problem(variant.where, variant.field or variant.name, str(each)) for each in error.problems
    )

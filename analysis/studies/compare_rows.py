"""Values of a comparison: every metric of every variant, differences, ranges and ranks."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from ...models.base.lazy_dataclass import dataclass
from ...models.base.metric_definitions import HIGHER_IS_BETTER, LOWER_IS_BETTER, Metric
from ...scenarios.variants import TYPICAL
from ..base.arrow_arrays import optional_numbers, text_array
from ..base.metric_titles import qualifier
from ..run.result import Result

_MEANINGS = {
    "value": "Value; null where the variant lacks the metric.",
    "low": "Lowest value over the levels.",
    "high": "Highest value over the levels.",
    "difference": "Value minus the value of the reference.",
    "difference_low": "Lowest difference over the levels, comparing equal levels.",
    "difference_high": "Highest difference over the levels, comparing equal levels.",
    "change_percent": "Difference in percent of the value of the reference.",
    "change_percent_low": "Lowest change over the levels.",
    "change_percent_high": "Highest change over the levels.",
    "rank": "1 for the best typical value; null if neither direction is better, or if the variant "
    "serves less work than another.",
}
_UNITS = dict.fromkeys(("change_percent", "change_percent_low", "change_percent_high"), "%")


@dataclass(frozen=True)
class Cell:
    """A metric of one variant; ``low`` and ``high`` are its bounds over the levels run.

    Differences are against the reference, taken level by level; ``change_percent`` is that of
    the difference, None where the reference is 0. ``rank``, at the typical level, is 1 for the
    best and None where no way is better; equals share a rank.
    """

    value: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    change_percent: float | None
    change_percent_low: float | None
    change_percent_high: float | None
    rank: int | None = None


@dataclass(frozen=True)
class Row:
    """A metric for all variants; None for a variant without it.

    ``best`` names the variants that no other beats at any level; it is empty where all are
    equal, or where no way is better. One that serves less work than another is neither ranked
    nor best.
    """

    name: str
    unit: str
    title: str
    definition: str
    cells: Mapping[str, Cell | None]
    best: frozenset[str]


def table_of(rows: Iterable[Row], reference: str) -> pa.Table:
    """Return a tidy Arrow table, one row per metric and variant.

    Columns as in :class:`Cell`, null where a variant lacks the metric or nothing can be said.

    The metadata of each field hold its unit and description.
    """
    listed = [(row, name, cell) for row in rows for name, cell in row.cells.items()]
    is_reference = [name == reference for _, name, _ in listed]
    columns: dict[str, tuple[pa.Array, str]] = {
        "metric": (text_array([row.name for row, _, _ in listed]), "Name of the metric."),
        "unit": (text_array([row.unit for row, _, _ in listed]), "Unit of all values."),
        "variant": (text_array([name for _, name, _ in listed]), "Name of the variant."),
        "is_reference": (
            optional_numbers(is_reference, pa.bool_()),
            "Whether this variant is the reference.",
        ),
    }
    for key, meaning in _MEANINGS.items():
        kind = pa.int32() if key == "rank" else pa.float64()
        values = [getattr(cell, key, None) for _, _, cell in listed]
        columns[key] = (optional_numbers(values, kind), meaning)
    fields = [
        pa.field(key, array.type, metadata={"unit": _UNITS.get(key, ""), "description": meaning})
        for key, (array, meaning) in columns.items()
    ]
    arrays = [array for array, _ in columns.values()]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def row_of(
    name: str,
    known: Metric | None,
    runs: Mapping[str, Mapping[str, Result]],
    serving: frozenset[str],
) -> Row:
    """Return a metric over all variants, each with its runs by level, the reference first.

    Only variants that are ``serving`` as much work as any other are ranked.

    ``known`` is the metric's definition, None for one of a user's own, which is then called by its
    name. Raises StopIteration if no variant has it.
    """
    entries = {
        variant: {level: result.summary.get(name) for level, result in levels.items()}
        for variant, levels in runs.items()
    }
    unit = next(each[TYPICAL]["unit"] for each in entries.values() if each[TYPICAL])
    values = {
        variant: {level: entry["value"] for level, entry in levels.items() if entry}
        for variant, levels in entries.items()
    }
    reference = next(iter(values.values()))
    cells = {
        variant: _cell(found, reference) if TYPICAL in found else None
        for variant, found in values.items()
    }
    _rank(name, cells, serving)
    title, meaning = (known.title, known.definition) if known else (name, "")
    partial = [variant for variant, each in entries.items() if "title" in (each[TYPICAL] or {})]
    if partial:
        title += f" ({qualifier(name)}: {', '.join(partial)})"
    return Row(name, unit, title, meaning, cells, _best(name, values, serving))


def _cell(values: Mapping[str, float | None], reference: Mapping[str, float | None]) -> Cell:
    """Return a metric of one variant beside that of the reference, both by level.

    Differences are taken level by level, so that a band of differences is not that of the values.

    A band of differences is narrower than that of the values wherever both sides move alike with
    the level, which is why levels are run on both sides.
    """
    present = [value for value in values.values() if value is not None]
    differences = {
        level: value - base
        for level, value in values.items()
        if value is not None and (base := reference.get(level)) is not None
    }
    shares = {
        level: 100 * difference / abs(base)
        for level, difference in differences.items()
        if (base := reference[level])
    }
    return Cell(
        value=values[TYPICAL],
        low=min(present, default=None),
        high=max(present, default=None),
        difference=differences.get(TYPICAL),
        difference_low=min(differences.values(), default=None),
        difference_high=max(differences.values(), default=None),
        change_percent=shares.get(TYPICAL),
        change_percent_low=min(shares.values(), default=None),
        change_percent_high=max(shares.values(), default=None),
    )


def _sign(name: str) -> int:
    """Return 1 if less is better, -1 if more is better, otherwise 0."""
    return (name in LOWER_IS_BETTER) - (name in HIGHER_IS_BETTER)


def _best(
    name: str, values: Mapping[str, Mapping[str, float | None]], serving: frozenset[str]
) -> frozenset[str]:
    """Return the variants that are best at every level; none if all are equal.

    Only variants that serve as much work as any other can be.
    """
    best = everyone = frozenset(
        variant
        for variant, levels in values.items()
        if levels.get(TYPICAL) is not None and variant in serving
    )
    for level in dict.fromkeys(level for levels in values.values() for level in levels):
        worth = {
            variant: _sign(name) * value
            for variant in everyone
            if (value := values[variant].get(level)) is not None
        }
        best &= {variant for variant, each in worth.items() if each == min(worth.values())}
    return best if best != everyone else frozenset()


def _rank(name: str, cells: dict[str, Cell | None], serving: frozenset[str]) -> None:
    """Put ranks into the cells of a metric, in place.

    Equals share a rank; variants that serve less, and metrics of which no way is better, have none.
    """
    sign = _sign(name)
    if not sign:
        return
    held = [
        (variant, cell)
        for variant, cell in cells.items()
        if cell and cell.value is not None and variant in serving
    ]
    for variant, cell in held:
        mine = sign * (cell.value or 0.0)
        better = sum(sign * (other.value or 0.0) < mine for _, other in held)
        cells[variant] = Cell(**{**vars(cell), "rank": better + 1})

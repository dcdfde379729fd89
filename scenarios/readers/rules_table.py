"""Rules of placement from a table with a row per VM and rule.

Rows of one rule may stand anywhere; each adds a VM, host, size, tenant or group of VMs to it. A
rule is then read as if it stood in the scenario, so that the same is refused with the same words.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors.problems import InputError, Problem, refuse
from ..language.error_messages import sentences
from ..language.fields import Part
from ..language.former_names import no_such
from ..spec.constraints import Constraint, ConstraintField
from ..traces.trace import InputFile
from .chunks import read_chunks

LISTS = {"vm": "vms", "host": "hosts", "size": "sizes", "tenant": "tenants", "group": "groups"}
"""Columns of which a rule has several entries, and the fields that they fill."""

SINGLE = ("type", "domain", "at_most", "cpu", "penalty")
COLUMNS = ("rule", *LISTS, *SINGLE)
NUMBERS = {"at_most": int, "penalty": float}


class _Row(Part):
    """What a rule of a table is read as."""

    rule: ConstraintField


def read_rules(path: Path, shown: str) -> tuple[list[tuple[Constraint, str]], InputFile]:
    """Return the rules of a CSV or Parquet table, each with the place of its first row.

    Cells that are empty say nothing. Raises InputError with all rules that are wrong, or at the
    first row that cannot belong to one.

    Columns are those of COLUMNS, ``rule`` and ``type`` needed. ``shown`` is the path in messages.
    """
    written: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    for chunk in read_chunks(path, shown, lambda header: _chosen(header, shown)):
        texts = {name: chunk.texts(name).to_pylist() for name in chunk.columns}
        for index in range(len(chunk)):
            cells = {name: column[index] for name, column in texts.items() if column[index]}
            place = chunk.place(index)
            name = cells.get("rule", "")
            if not name:
                raise refuse(place, "is empty; write the name of the rule", "rule")
            places.setdefault(name, place)
            _add(written.setdefault(name, {"name": name}), cells, place)
    problems: list[Problem] = []
    rules: list[tuple[Constraint, str]] = []
    for name, data in written.items():
        try:
            rules.append((_Row.model_validate({"rule": data}).rule, places[name]))
        except ValidationError as error:
            problems += [
                Problem(places[name], ".".join(map(str, steps[1:])), f"{text} (rule {name})")
                for steps, text in sentences(error, _Row, {"rule": data})
            ]
    if problems:
        raise InputError(problems)
    return rules, InputFile.at(shown, path)


def _chosen(header: Sequence[str], shown: str) -> list[str]:
    """Return all columns of a table. Raises InputError for one that rules do not have."""
    for name in ("rule", "type"):
        if name not in header:
            raise refuse(f"{shown}:1", f"has no column {name!r}; columns are {', '.join(COLUMNS)}")
    for name in header:
        if name not in COLUMNS:
            raise refuse(f"{shown}:1", no_such("column", name, COLUMNS))
    return list(header)


def _add(rule: dict[str, Any], cells: dict[str, str], place: str) -> None:
    """Put what a row says to what earlier rows have said of the same rule.

    Raises InputError at a cell that says something else than an earlier row of the rule.
    """
    for column, field in LISTS.items():
        if column in cells and cells[column] not in rule.setdefault(field, []):
            rule[field].append(cells[column])
    for column in SINGLE:
        if column not in cells:
            continue
        value = _value(column, cells[column], place)
        if rule.setdefault(column, value) != value:
            message = f"is {value!r}, and {rule[column]!r} in an earlier row of {rule['name']}"
            raise refuse(place, f"{message}; write the same value or leave it empty", column)


def _value(column: str, text: str, place: str) -> Any:
    """Return what a cell means for a field. Raises InputError where it is no number."""
    kind = NUMBERS.get(column)
    if kind is None:
        return text
    try:
        return kind(text)
    except ValueError:
        raise refuse(place, f"{text!r} is not a number; write one", column) from None

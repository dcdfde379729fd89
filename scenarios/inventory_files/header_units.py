"""Units that headers state: ``Memory (KiB)``, ``*Memory (In MB)``, ``VM|CPU|Demand (MHz)|Avg``."""

import dataclasses
import re
from collections.abc import Mapping

from .columns import UNITS, Quantity
from .headers import Table

_UNIT = re.compile(r"\((?:in\s+)?([^()]+)\)", re.IGNORECASE)


def unit_in(header: str) -> str:
    """Return the last unit in parentheses of a header that is a unit at all, else nothing."""
    known = {unit for units in UNITS.values() for unit in units}
    found = [each.strip() for each in _UNIT.findall(header)]
    return next((each for each in reversed(found) if each.lower() in known), "")


def in_units_of(table: Table, quantities: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return quantities in the units that the headers of a table state, where they state one.

    Those of fields that the table is not asked for are left out.
    """
    found = {}
    for name, quantity in quantities.items():
        if name not in table.aliases:
            continue
        column = table.column(name)
        unit = unit_in(column.header) if column is not None else ""
        if unit.lower() in UNITS.get(quantity.unit, {}):
            quantity = dataclasses.replace(quantity, header_unit=unit)  # noqa: PLW2901
        found[name] = quantity
    return found

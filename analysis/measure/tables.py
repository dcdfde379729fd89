"""Tables for users: names instead of row numbers, units in column names, meanings in the schema.

Every table begins with the scenario, the replication and the seed, so that tables of many runs can
be put under one another and still be told apart.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from ..base.arrow_arrays import arrow_array
from ..base.played_case import PlayedCase
from ..base.table_columns import Made, words
from ..topics.catalogue import TOPICS


def make_tables(run: PlayedCase) -> dict[str, pa.Table]:
    """Return all tables of a run by name, those of its topics one after another.

    A topic that does not occur in the run (no network, no failures, no tenants) has no table. One
    that occurs but had no event has a table of no rows with all its columns, so that code that
    reads it needs no special case.
    """
    return {
        table.name: _arrow_table(run, table.columns(run))
        for topic in TOPICS
        for table in topic.tables
        if table.exists(run)
    }


def _arrow_table(run: PlayedCase, columns: Mapping[str, Made]) -> pa.Table:
    """Return columns as a table, led by those that say which run it is.

    The metadata of each field hold its ``unit`` and ``description``.

    Values may be an Arrow array, which is taken as it is, or whatever :func:`arrow_array` takes.
    All columns must have one length: Arrow raises ArrowInvalid otherwise.
    """
    arrays, fields = [], []
    for name, (values, unit, meaning) in (_keys(run, _length(columns)) | dict(columns)).items():
        array = values if isinstance(values, pa.Array) else arrow_array(values)
        arrays.append(array)
        metadata = {"unit": unit, "description": meaning}
        fields.append(pa.field(name, array.type, metadata=metadata))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _length(columns: Mapping[str, Made]) -> int:
    """Return the number of rows of a table from its first column."""
    return len(next(iter(columns.values()))[0])


def _keys(run: PlayedCase, rows: int) -> dict[str, Made]:
    """Return the columns that every table begins with."""
    name = words(np.zeros(rows, np.int32), [run.case.name])
    return {
        "scenario": (name, "", "Name of the scenario."),
        "replication": (np.zeros(rows, np.int32), "", "Number of the replication."),
        "seed": (np.full(rows, run.scenario.seed, np.int64), "", "Seed of the run."),
    }

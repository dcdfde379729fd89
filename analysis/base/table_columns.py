"""Arrow arrays of names, and definitions of table columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

Made = tuple[Any, str, str]
"""Values, unit and meaning of a column."""


class Names:
    """Arrow dictionaries of host and VM names, made once per run.

    A column of names is then a column of numbers and one dictionary, however many rows it has.
    """

    def __init__(self, hosts: Sequence[str], vms: Sequence[str]) -> None:
        self._hosts = pa.array(list(hosts), pa.string())
        self._vms = pa.array(list(vms), pa.string())

    def host(self, rows: Any) -> pa.DictionaryArray:
        """Return the names of host rows."""
        return looked_up(rows, self._hosts)

    def vm(self, rows: Any) -> pa.DictionaryArray:
        """Return the names of VM rows."""
        return looked_up(rows, self._vms)


def looked_up(rows: Any, names: pa.Array) -> pa.DictionaryArray:
    """Return names of rows, null where a row is negative; names in use only, if rows are few.

    ``names`` is an Arrow array of texts, ``rows`` any sequence of positions in it.

    Raises IndexError where a row is beyond the names and they are cut to those in use.
    """
    rows = np.asarray(rows, np.int32)
    none = rows < 0
    if len(rows) < len(names):
        used = np.unique(rows[~none])
        rows, names = np.searchsorted(used, rows).astype(np.int32), names.take(pa.array(used))
    return pa.DictionaryArray.from_arrays(pa.array(rows, mask=none), names)


def words(codes: Any, texts: Sequence[str]) -> pa.DictionaryArray:
    """Return texts of codes; null where a code is negative."""
    return looked_up(codes, pa.array(list(texts), pa.string()))

"""Arrow arrays of names, and definitions of table columns."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from .arrow_arrays import arrow_array, text_array

Made = tuple[Any, str, str]
"""Values, unit and meaning of a column."""


class Names:
    """Arrow dictionaries of host and VM names, made once per run.

    A column of names is then a column of numbers and one dictionary, however many rows it has.
    """

    def __init__(self, hosts: Sequence[str], vms: Sequence[str]) -> None:
        self._hosts, self._vms = _Texts(hosts), _Texts(vms)

    def host(self, rows: Any) -> pa.DictionaryArray:
        """Return the names of host rows."""
        return _looked_up(rows, self._hosts)

    def vm(self, rows: Any) -> pa.DictionaryArray:
        """Return the names of VM rows."""
        return _looked_up(rows, self._vms)


class _Texts:
    """Texts by their position, and all of them as an Arrow array once a column needs it."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def whole(self) -> pa.Array:
        """All texts as an Arrow array."""
        return text_array(list(self.texts))


def words(codes: Any, texts: Sequence[str]) -> pa.DictionaryArray:
    """Return texts of codes; null where a code is negative.

    ``codes`` is any sequence of positions in the texts. Raises IndexError where a code is beyond
    the texts and they are cut to those in use.
    """
    return _looked_up(codes, _Texts(texts))


def _looked_up(codes: Any, known: _Texts) -> pa.DictionaryArray:
    """Return texts of codes as :func:`words` does; texts in use only, if codes are few."""
    codes = np.asarray(codes, np.int32)
    none = codes < 0
    if len(codes) < len(known.texts):
        used = sorted(set(codes[~none].tolist()))
        codes = np.searchsorted(np.array(used, np.int32), codes).astype(np.int32)
        names = text_array([known.texts[code] for code in used])
    else:
        names = known.whole
    return pa.DictionaryArray.from_arrays(arrow_array(codes, none), names)

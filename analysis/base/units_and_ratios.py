"""Conversion factors from internal to displayed units, and ratios whose base may be zero."""

import numpy as np
import pyarrow as pa

from ...models.base.arrays import Bools, Floats
from .arrow_arrays import arrow_array

S_PER_H, S_PER_DAY = 3600.0, 86_400.0
MIB_PER_GIB = 1024.0
MHZ_PER_GHZ = 1e3
MHZ_S_PER_GHZ_H = 3.6e6
BYTES_PER_GIB = 1024.0**3


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``; 0 where the whole is 0.

    Of anything that did not occur, the share is 0: no result is NaN, and sums over runs stay
    possible.
    """
    return float(part / whole) if whole > 0 else 0.0


def ratios(parts: Floats, wholes: Floats) -> Floats:
    """Return ``parts / wholes`` element by element; 0 where a whole is 0."""
    made: Floats = np.divide(parts, wholes, out=np.zeros(len(parts)), where=wholes > 0)
    return made


def mean_ratio(parts: Floats, wholes: Floats) -> float:
    """Return the mean of ``parts / wholes`` over the wholes above 0; 0 where there are none.

    Each counts alike, however small its whole: the mean of ratios, not the ratio of means. PDM and
    SLATAH are of this kind.
    """
    counted = wholes > 0
    return float((parts[counted] / wholes[counted]).mean()) if counted.any() else 0.0


def nullable(values: Floats, missing: Bools | None = None) -> pa.Array:
    """Return an Arrow array that is null where values are ``missing``; by default where NaN."""
    return arrow_array(values, np.isnan(values) if missing is None else missing)

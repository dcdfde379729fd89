"""Classes of VMs of the load generator: a fitted set of the catalogue, or those written out."""

from typing import Any

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.catalogue import workload_classes
from ...models.workload.demand_generators import LoadClass


def load_classes(written: str | tuple[LoadClass, ...]) -> tuple[tuple[LoadClass, ...], Floats]:
    """Return classes, and the probabilities at which the catalogue has their quantiles.

    ``written`` is the name of a set, or the classes themselves.
    """
    table = workload_classes()
    probabilities = np.array(table["probabilities"])
    if not isinstance(written, str):
        return written, probabilities
    entries = table["sets"][written]["classes"]
    classes = [LoadClass(**{key: _value(value) for key, value in each.items()}) for each in entries]
    return tuple(classes), probabilities


def _value(value: Any) -> Any:
    """Return a value of the catalogue as a parameter takes it: lists become tuples."""
    return tuple(value) if isinstance(value, list) else value

"""Maximum correlation."""

from typing import ClassVar

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.base.ties import first_highest, first_lowest, tie_of
from ..interface.view import FarmView

MIN_SAMPLES = 3
"""Samples of its own life that a VM needs for a correlation to say anything."""

R2_TIE = 1e-6
"""Coefficients of determination this far apart are equal: inverting a matrix costs digits."""

PICKS = "picks of maximum_correlation"
"""What is counted of all picks, with the names of the ways out of the regression."""
BY_SUM, BY_MEMORY = f"{PICKS} by the sum of the others", f"{PICKS} by memory"


@dataclass(frozen=True)
class MaximumCorrelation:
    """Select the VM whose load is best explained by the loads of the others (MC).

    The coefficient of determination ``R**2 = 1 - RSS/TSS`` of the linear regression of each
    VM's recent demand on that of the host's other VMs, with intercept (Verma et al. 2009;
    Beloglazov and Buyya 2012), over the samples in which all of them ran. That takes more such
    samples than there are VMs, and VMs that all vary and are not sums of each other. Elsewhere each
    VM's demand over its own life is regressed on the sum of the others' alone, which a host with
    any number of VMs allows; VMs that do not vary, or of which fewer than three samples are known,
    are left out. Where none is left, the VM with the least memory moves. A warning in the summary
    says how often either was the case.
    """

    repeatable: ClassVar[bool] = True

    samples: int = parameter("Number of past samples used.", 30, ge=3, le=1000)

    def pick(self, view: FarmView, vms: Ints) -> int:
        """Return the position of the VM best explained by the others."""
        if len(vms) == 1:
            return 0  # no choice, so nothing to be told of
        view.note(PICKS)
        history_mhz = view.vm_history_mhz(self.samples)[:, vms]
        own = np.minimum(view.vm_samples[vms], len(history_mhz))
        common = int(own.min(initial=len(history_mhz)))
        determined = determination(history_mhz[len(history_mhz) - common :])
        if determined is None:
            determined = with_the_others(history_mhz, own)
            view.note(BY_MEMORY if determined is None else BY_SUM)
        if determined is None:
            memory_mib = view.vms.memory_mib[vms]
            return first_lowest(memory_mib, tie_of(memory_mib))
        return first_highest(determined, R2_TIE)


def determination(history: Floats) -> Floats | None:
    """Return R² of each column regressed on the others, or None where that is impossible.

    With S the correlation matrix of the columns, ``1 - R²_j = 1 / (S^-1)_jj``.
    """
    depth, count = history.shape
    if count < 2 or depth <= count:
        return None
    centred = history - history.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    if not size.all():
        return None
    centred = centred / size
    correlation = centred.T @ centred
    if np.linalg.matrix_rank(correlation, hermitian=True) < count:
        return None
    determined: Floats = 1 - 1 / np.diag(np.linalg.inv(correlation))
    return determined


def with_the_others(history: Floats, own: Ints) -> Floats | None:
    """Return R² of each column regressed on the sum of the others, over its newest ``own`` rows.

    −1 for columns of which fewer than :data:`MIN_SAMPLES` rows are their own, or that do not vary;
    None where all are of that kind, or there are none to compare with.
    """
    depth, count = history.shape
    if count < 2:
        return None
    there = np.arange(depth)[::-1, None] < own
    history = np.where(there, history, 0.0)
    others = np.where(there, history.sum(axis=1, keepdims=True) - history, 0.0)
    rows = np.maximum(own, 1)
    mine = np.where(there, history - history.sum(axis=0) / rows, 0.0)
    theirs = np.where(there, others - others.sum(axis=0) / rows, 0.0)
    spread, spread_of_others = (mine**2).sum(axis=0), (theirs**2).sum(axis=0)
    varies = spread > R2_TIE**2 * (history**2).sum(axis=0)
    varies_there = spread_of_others > R2_TIE**2 * (others**2).sum(axis=0)
    known = (own >= MIN_SAMPLES) & varies
    if not known.any():
        return None
    both = known & varies_there
    joint = (mine * theirs).sum(axis=0)
    determined: Floats = np.divide(
        joint**2, spread * spread_of_others, out=np.zeros(count), where=both
    )
    determined[~known] = -1.0
    return determined

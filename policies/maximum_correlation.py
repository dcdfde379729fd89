"""Maximum correlation."""

from dataclasses import dataclass

import numpy as np

from ..models.arrays import Floats, Ints
from ..models.knobs import knob
from .view import FarmView


@dataclass(frozen=True)
class MaximumCorrelation:
    """The VM whose load the others' loads explain best moves (MC).

    The coefficient of determination ``R**2 = 1 - RSS/TSS`` of the linear regression of each
    VM's recent demand on that of the host's other VMs, with intercept (Verma et al. 2009;
    Beloglazov and Buyya 2012). Where it cannot be computed (fewer than two VMs, fewer samples
    than VMs, or no VM that varies) the VM with the least memory moves.
    """

    samples: int = knob("Number of past samples looked at.", 30, ge=3, le=1000)

    def pick(self, view: FarmView, vms: Ints) -> int:
        """Return the position of the VM best explained by the others."""
        history_mhz = view.vm_history_mhz(self.samples)[:, vms]
        determined = determination(history_mhz)
        if determined is None:
            return int(view.vms.memory_mib[vms].argmin())
        return int(determined.argmax())


def determination(history: Floats) -> Floats | None:
    """Return R² of each column regressed on the others, or None where that is impossible.

    With S the covariance matrix of the columns, ``1 - R²_j = 1 / (S_jj (S^-1)_jj)``.
    """
    depth, count = history.shape
    if count < 2 or depth <= count:
        return None
    centred = history - history.mean(axis=0)
    covariance = centred.T @ centred
    if np.linalg.matrix_rank(covariance, hermitian=True) < count:
        return None
    inverse = np.linalg.inv(covariance)
    determined: Floats = 1 - 1 / (np.diag(covariance) * np.diag(inverse))
    return determined

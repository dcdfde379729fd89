"""Exposure of a VM by what it shares, on an ordinal scale.

``RI = w_s log10(TCB / 36) + w_e E + w_t ln(1 + n)``: ``TCB`` is the code in thousands of lines
that the VM has to trust, against the 36 of NOVA (Steinberg and Kauer, EuroSys 2010), ``E`` counts
the kinds of interface an attacker can reach, ``n`` is how many other tenants share the host.
Form and weights are an engineering estimate (mark E); ``TCB`` and ``E`` stand in the catalogue of
hypervisors with the mark of each, and code sizes hold for minimised kernels.

What the result means and does not:

* It is an order. A grade of 8 is not twice a 4, and no grade is a probability of anything.
* It compares setups whose inputs were found in the same way. Code sizes counted differently, or
  one host's grade with co-tenants and another's without, are not comparable.
* It knows nothing of patches, configuration, hardware flaws, or whether anybody attacks.
"""

import numpy as np

from ..base.arrays import Floats, Ints
from ..base.lazy_dataclass import dataclass

SMALLEST_KLOC = 36.0
FULL_SCALE = 4.0
"""Risk indicator of grade 10: about 10,000 KLOC, five kinds of interface and 50 co-tenants."""

HOST_APPLICATIONS = 1.0
"""Kinds of interface that applications beside the guests add (mark E)."""


@dataclass(frozen=True)
class Weights:
    """Weights of code size, interfaces and co-tenants; estimates (mark E)."""

    size: float = 0.4
    interfaces: float = 0.4
    tenants: float = 0.2


def layer_risk(tcb_kloc: Floats, interfaces: Floats, weights: Weights | None = None) -> Floats:
    """Return the part of the indicator that comes from code and interfaces.

    Code below the 36 KLOC of the smallest counts as those, so that less code never outweighs
    another term.
    """
    chosen = weights or Weights()
    size = np.log10(np.maximum(tcb_kloc, SMALLEST_KLOC) / SMALLEST_KLOC)
    risk: Floats = chosen.size * size + chosen.interfaces * interfaces
    return risk


def tenant_risk(co_tenants: Floats, weights: Weights | None = None) -> Floats:
    """Return the part of the indicator that comes from other tenants, a mean over time or not."""
    risk: Floats = (weights or Weights()).tenants * np.log1p(co_tenants)
    return risk


def grade(indicator: Floats) -> Ints:
    """Return the ordinal grade, 0 to 10: tenths of ``FULL_SCALE``, rounded, 10 beyond it."""
    tenths: Ints = np.clip(np.rint(10.0 * indicator / FULL_SCALE), 0, 10).astype(np.int64)
    return tenths

"""How exposed a VM is through what it shares, as an order and nothing more.

``RI = w_s log10(TCB / 36) + w_e E + w_t ln(1 + n)``: ``TCB`` is the code in thousands of lines
that the VM has to trust, against the 36 of NOVA (Steinberg and Kauer, EuroSys 2010), ``E`` counts
the kinds of interface an attacker can reach, ``n`` is how many other tenants share the host.
Form and weights are an engineering estimate; code sizes are from memory of that paper's
figure 1 and hold for minimised kernels.

What the result means and does not:

* It is an order. A grade of 8 is not twice a 4, and no grade is a probability of anything.
* It compares setups whose inputs were found in the same way. Code sizes counted differently, or
  one host's grade with co-tenants and another's without, are not comparable.
* It knows nothing of patches, configuration, hardware flaws, or whether anybody attacks.
"""

from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints

SMALLEST_KLOC = 36.0
FULL_SCALE = 4.0
"""Risk indicator of grade 10: about 10,000 KLOC, five kinds of interface and 50 co-tenants."""

TCB_KLOC: dict[str, float] = {
    "bare_metal": 0.0,
    "nova": 36.0,
    "esxi": 200.0,
    "kvm": 20.0 + 200.0 + 140.0,
    "xen": 100.0 + 200.0 + 140.0,
    "hyper_v": 100.0 + 400.0,
}
"""Code shared with other guests, from memory (mark M): hypervisor, control partition or host
kernel, device emulation. Nothing is shared on bare metal. No count was found for type 2."""

INTERFACES: dict[str, int] = {"bare_metal": 0, "type_1": 1, "type_1_with_control": 2, "type_2": 2}
"""Kinds of exposed interface (mark E); type 2 adds the class 1 to 3 of its host's applications."""


@dataclass(frozen=True)
class Weights:
    """Weights of code size, interfaces and co-tenants; estimates (mark E)."""

    size: float = 0.4
    interfaces: float = 0.4
    tenants: float = 0.2


def risk_indicator(
    tcb_kloc: Floats, interfaces: Floats, co_tenants: Floats, weights: Weights | None = None
) -> Floats:
    """Return the raw indicator, 0 or more.

    ``co_tenants`` may be a mean over time. Code below the 36 KLOC of the smallest counts as
    those, so that less code never outweighs another term.
    """
    chosen = weights or Weights()
    size = np.log10(np.maximum(tcb_kloc, SMALLEST_KLOC) / SMALLEST_KLOC)
    indicator: Floats = (
        chosen.size * size + chosen.interfaces * interfaces + chosen.tenants * np.log1p(co_tenants)
    )
    return indicator


def grade(indicator: Floats) -> Ints:
    """Return the ordinal grade, 0 to 10: tenths of ``FULL_SCALE``, rounded, 10 beyond it."""
    tenths: Ints = np.clip(np.rint(10.0 * indicator / FULL_SCALE), 0, 10).astype(np.int64)
    return tenths


def co_tenants(host_of: Ints, tenant_of: Ints) -> Ints:
    """Return per VM how many tenants other than its own are on its host; 0 where it has none.

    ``host_of`` is the host's row, negative for none; ``tenant_of`` the tenant's row.
    """
    tenants = int(tenant_of.max(initial=0)) + 1
    placed = host_of >= 0
    pairs = np.unique(host_of[placed] * tenants + tenant_of[placed])
    per_host = np.bincount(pairs // tenants, minlength=int(host_of.max(initial=-1)) + 1)
    others = np.zeros(len(host_of), np.int64)
    others[placed] = per_host[host_of[placed]] - 1
    return others


def mean_co_tenants(count: Floats | Ints, duration_s: Floats) -> Floats:
    """Return the time-weighted mean of co-tenants; periods are the last axis, 0 without time."""
    total_s = np.asarray(np.sum(duration_s, axis=-1))
    shared = np.asarray(np.sum(count * duration_s, axis=-1))
    mean: Floats = np.divide(shared, total_s, out=np.zeros(shared.shape), where=total_s > 0)
    return mean

"""What is known of the CPU demand that a farm is sized for, as a factor on a known value."""

from ...scenarios.scenario import Scenario
from ..planning.load_tiers import cpu_needs
from .sized import CpuBand


def cpu_band(scenario: Scenario) -> CpuBand:
    """Return what is known of the CPU demand of all VMs of a scenario, in MHz of guest work.

    ``typical`` is the factor that the load of the scenario is made with. Raises InputError if the
    load cannot be read.
    """
    needs = cpu_needs(scenario)
    known, need = needs.known, needs.farm
    factors = need.factors
    if known.only_if or not need.basis_mhz > 0:
        return CpuBand(
            None, 1.0, 1.0, 1.0, known.tier, known.confidence, known.words, known.to_measure
        )
    # The band was divided by the basis again: what was 1 must stay 1.
    low, typical, high = (round(each, 6) for each in (factors.low, factors.typical, factors.high))
    return CpuBand(
        need.basis_mhz,
        low,
        typical,
        high,
        known.tier,
        known.confidence,
        known.words,
        known.to_measure,
    )

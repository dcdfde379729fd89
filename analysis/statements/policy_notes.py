"""What policies noted of their decisions, as warnings of the summary."""

from collections.abc import Mapping

from ...policies.selection.maximum_correlation import BY_MEMORY, BY_SUM, PICKS


def warnings_of(noted: Mapping[str, int]) -> list[str]:
    """Return a sentence for each way in which a policy could not do what its name says."""
    by_sum, by_memory = noted.get(BY_SUM, 0), noted.get(BY_MEMORY, 0)
    if not by_sum + by_memory:
        return []
    return [
        f"maximum_correlation could not regress each VM on all others in {by_sum + by_memory:,} "
        f"of {noted[PICKS]:,} picks: there were not more samples than VMs, or VMs do not vary. "
        f"It took the VM that correlates most with the sum of the others in {by_sum:,} picks and "
        f"the one with the least memory in {by_memory:,}; set more `samples` for hosts with many "
        "VMs"
    ]

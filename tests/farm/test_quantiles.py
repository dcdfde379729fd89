"""One definition of percentiles: nearest rank, of values and of the histograms of hosts."""

import numpy as np
import pytest

from farmsim.models.accounts.accounts import HostAccounts, Rate
from farmsim.models.base.quantiles import nearest_rank


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        ([], 0.5, 0.0),
        ([7.0], 0.01, 7.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([1.0, 2.0], 0.51, 2.0),
        ([5.0, 1.0, 3.0, 2.0, 4.0], 0.95, 5.0),
        (list(range(1, 21)), 0.95, 19.0),  # 19 of 20 values are at or below 19
        (list(range(1, 101)), 0.99, 99.0),
    ],
)
def test_the_smallest_value_at_or_below_which_a_part_lies(
    values: list[float], q: float, expected: float
) -> None:
    assert nearest_rank(np.array(values, float), q) == expected


def test_values_count_by_their_weight() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 8.0, 1.0])
    assert nearest_rank(values, 0.8, weights) == 1.0
    assert nearest_rank(values, 0.85, weights) == 2.0
    assert nearest_rank(values, 0.95, weights) == 3.0


def test_utilisation_of_hosts_is_ranked_the_same_way() -> None:
    """Host 0 is at 30 % for 6 s and at 80 % for 4 s, host 1 at 29 % throughout, host 2 is off."""
    accounts = HostAccounts(3)
    accounts.rates[Rate.ON] = [1, 1, 0]
    accounts.utilisation[:] = [0.3, 0.29, 0.0]
    accounts.settle_all(3.0)
    accounts.settle_one(0, 6.0)
    accounts.utilisation[0] = 0.8
    accounts.settle_all(10.0)
    assert accounts.quantile(0.6).tolist() == [0.3, 0.29, 0.0]
    assert accounts.quantile(0.61).tolist() == [0.8, 0.29, 0.0]
    assert accounts.quantile(0.95).tolist() == [0.8, 0.29, 0.0]

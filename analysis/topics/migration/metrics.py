"""Figures of moves over a network; without one there are none."""

import numpy as np

from ....models.base.arrays import Floats
from ....models.base.cost import JOULE_PER_KWH
from ....models.base.quantiles import nearest_rank
from ....models.migration.dirty_pages import BYTES_PER_MEGABIT
from ....sim.engine import Outcome
from ....sim.migration.link_record import WINDOW_S


def network_values(outcome: Outcome) -> dict[str, float]:
    """Return the figures by name, none where the migration model uses no network.

    Downtimes are those of moves whose model knows any; means and extremes of nothing are left
    out.
    """
    if outcome.network is None:
        return {}
    moves = outcome.tables["migrations"]
    done = moves["finished"]
    downtime_s = moves["downtime_s"][done]
    downtime_s = downtime_s[~np.isnan(downtime_s)]
    waited_s = (moves["start_s"] - moves["decided_s"])[done]
    without = outcome.words.index("") if "" in outcome.words else -1
    found = {}
    if len(downtime_s):
        found = {
            "downtime_mean_s": float(downtime_s.mean()),
            "downtime_p99_s": nearest_rank(downtime_s, 0.99),
            "downtime_max_s": float(downtime_s.max()),
        }
    if len(waited_s):
        found["migration_wait_mean_s"] = float(waited_s.mean())
    return found | {
        "migration_energy_kwh": float(moves["energy_j"].sum()) / JOULE_PER_KWH,
        "link_utilisation_max": float(highest_use(outcome).max(initial=0.0)),
        "migrations_unconverged": int(np.count_nonzero(moves["reaction"] != without)),
    }


def highest_use(outcome: Outcome) -> Floats:
    """Return each link's highest mean utilisation of a window, background included."""
    assert outcome.network is not None
    network = outcome.network.network
    busiest_bytes = outcome.tables["links"]["busiest_bytes"]
    window_s = min(WINDOW_S, outcome.end_s)
    use: Floats = network.background + used_share(busiest_bytes, network.capacity_mbps, window_s)
    return use


def used_share(sent_bytes: Floats, capacity_mbps: Floats, length_s: Floats | float) -> Floats:
    """Return bytes over what the capacity would have carried in that time."""
    share: Floats = sent_bytes / (capacity_mbps * BYTES_PER_MEGABIT * length_s)
    return share

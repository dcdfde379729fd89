"""What moves over a network come to: the facts that the report's sentences are made of."""

from typing import Any

import numpy as np

from ...base.run_tables import RunTables
from .tables import SHOWN_LINKS


def moves_of(result: RunTables) -> dict[str, Any] | None:
    """Return counts, GiB sent, energy, and the busiest links; None without a network.

    ``unmodelled`` counts moves that ended and whose model knows no downtime. ``energy_kwh`` is
    attributed by bytes sent; ``saved_kwh`` is what the baseline drew more, None without one. Links
    are rows of the table ``links`` in order of mean utilisation by moves.
    """
    if "links" not in result.tables:
        return None
    moves, links = result.table("migrations"), result.table("links")
    finished = moves["finished"].to_numpy()
    saved = result.summary.get("saved_energy_kwh")
    use = links["utilisation_mean"].to_numpy() - links["background"].to_numpy()
    rows = np.argsort(-use, kind="stable")[:SHOWN_LINKS]
    busiest = [links.slice(row, 1).to_pylist()[0] for row in rows.tolist() if use[row] > 0]
    peak = int(np.argmax(links["utilisation_max"].to_numpy()))
    return {
        "begun": len(finished),
        "ended": int(finished.sum()),
        "unmodelled": int((finished & moves["downtime_s"].is_null().to_numpy()).sum()),
        "sent_gib": float(moves["copied_gib"].to_numpy().sum()),
        "energy_kwh": result.value("migration_energy_kwh"),
        "run_kwh": result.value("energy_kwh"),
        "saved_kwh": saved["value"] if saved else None,
        "peak_link": links.slice(peak, 1).to_pylist()[0] if busiest else None,
        "links": busiest,
    }

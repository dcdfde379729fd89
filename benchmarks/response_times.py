"""Compare the response-time model with the simulation of every request, by utilisation.

``python benchmarks/response_times.py`` prints the table; ``--markdown PAGE`` writes it into the
marked block of docs/service.md. One interval, its queue empty at the start as in the model:
requests of 10 ms on average in 300 s, exponential unless stated. Both are means over seeds; what
the model leaves in the backlog at the end and the microscope has not finished is in neither.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from farmsim.models.service.response_account import ServiceAccount
from farmsim.sim.records.request_queue import Distribution, simulate

SERVICE_S, INTERVAL_S, SEEDS = 0.01, 300.0, 3
LOADS = (0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 1.0, 1.2)
CASES: tuple[tuple[int, Distribution, float], ...] = (
    (1, "exponential", 1.0), (4, "exponential", 1.0), (1, "lognormal", 2.0),
)  # fmt: skip
BLOCK = re.compile(r"<!-- deviation -->\n.*?<!-- end -->", re.DOTALL)
QUANTILES = (0.95, 0.99)


def measured(vcpus: int, kind: Distribution, cv: float, load: float) -> list[float]:
    """Return mean, P95 and P99 in s of every request that arrived, all seeds together.

    Requests still present at the end are simulated to their completion without new ones.

    ``load`` is the utilisation of all vCPUs, above 1 in overload; ``cv`` the coefficient of
    variation of service times.
    """
    found = []
    for seed in range(SEEDS):
        rate_per_s = load * vcpus / SERVICE_S
        rates = [(0.0, rate_per_s, 1.0), (INTERVAL_S, 0.0, 1.0)]
        rng = np.random.default_rng(seed)
        end_s = INTERVAL_S * max(1.0, load) + 60.0
        found.append(simulate(rng, rates, end_s, SERVICE_S, vcpus, kind, cv).responses_s())
    times_s = np.concatenate(found)
    return [float(times_s.mean()), *np.quantile(times_s, QUANTILES).tolist()]


def modelled(vcpus: int, cv: float, load: float) -> list[float]:
    """Return the same from the model, one interval.

    In s: mean, P95 and P99.
    """
    account, one = ServiceAccount(1), np.ones(1)
    account.add(
        np.array([0]), INTERVAL_S, np.array([vcpus]), one * load * vcpus / SERVICE_S,
        one * SERVICE_S, one * 0.0, cv**2,
    )  # fmt: skip
    return [float(account.mean_s()[0]), *(float(account.quantile_s(q)[0]) for q in QUANTILES)]


def table() -> Iterator[list[str]]:
    """Yield the rows: model over microscope less 1."""
    yield ["vCPUs", "service", "utilisation", "mean, microscope", "mean", "P95", "P99"]
    for vcpus, kind, cv in CASES:
        for load in LOADS:
            seen, told = measured(vcpus, kind, cv, load), modelled(vcpus, cv, load)
            off = [
                f"{100 * (mine / true - 1):+.1f} %" for mine, true in zip(told, seen, strict=True)
            ]
            name = kind if cv == 1 else f"{kind}, cv {cv:g}"
            yield [str(vcpus), name, f"{load:.0%}", f"{seen[0] * 1e3:,.1f} ms", *off]


def main() -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write the page's table anew")
    page = parser.parse_args().markdown
    lines = [f"| {' | '.join(row)} |" for row in table()]
    lines.insert(1, "|" + " --- |" * (lines[0].count("|") - 1))
    text = "\n".join(lines)
    sys.stdout.write(text + "\n")
    if page:
        made = f"<!-- deviation -->\n\n{text}\n\n<!-- end -->"
        page.write_text(BLOCK.sub(lambda _: made, page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()

"""Measure the CPU time of transfers and migrations over a shared network.

``python benchmarks/network.py`` prints two curves over fat trees with links of 10 Gbit/s: farms
that grow, and more transfers at a time on one farm. Every host sends transfers of about 4 GiB
to hosts drawn at random, a few at a time, the next when one ends. ``--quick`` leaves out the
largest farm.

``--day 24`` instead simulates so many hours of the published PlanetLab day (LR-MMT), once with
copies at a fixed rate and once with pre-copy over a fat tree, and prints how many times as long
that takes. The first is nearly all decisions, the difference nearly all moves.

A time is CPU time of the process, user and system together; on a busy machine it is longer, as
is that of the yardstick printed before and after, ten million additions.
"""

import argparse
import time
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
import simpy

from farmsim import Scenario
from farmsim.models.network.network import Network
from farmsim.models.network.transport import TRANSPORTS
from farmsim.scenarios.build.build import build
from farmsim.sim.base.clock import Clock
from farmsim.sim.migration.transfers import FlowNetwork

GIB = 2.0**30
DAYS: dict[str, list[str]] = {
    "fixed rate": [],
    "pre-copy, fat tree of 1 Gbit/s": [
        "migration={model: pre_copy}",
        "network={layout: {topology: fat_tree, port: 1 Gbit/s}}",
    ],
}
"""Ways to move VMs in the published day."""


class Load(NamedTuple):
    """How much is sent: hosts, of which some send, transfers of each, how many at a time."""

    hosts: int
    senders: int
    transfers: int
    at_a_time: int


def sender(
    flow_network: FlowNetwork, source: int, targets: list[int], sizes: list[float]
) -> Generator[simpy.Event, Any, None]:
    """Send transfers one after another, sizes in bytes; each starts as the one before ends."""
    for target, size_bytes in zip(targets, sizes, strict=True):
        yield flow_network.send(source, target, size_bytes)


def measured(load: Load, transport: str = "plain") -> dict[str, float]:
    """Simulate a load on a fat tree; return the number of transfers, simulated and CPU times in s.

    Building the network is timed apart. Sources and sizes are drawn with a fixed seed, so that all
    versions have the same transfers.
    """
    generator = np.random.default_rng(1)
    begin = time.process_time()
    network = Network.fat_tree(load.hosts, 10_000, 10e-6)
    built = time.process_time()
    clock = Clock()
    flow_network = FlowNetwork(clock, network, TRANSPORTS[transport])
    each = load.transfers // load.at_a_time
    sources = generator.choice(load.hosts, load.senders, replace=False).tolist()
    for source in sources * load.at_a_time:
        offsets = generator.integers(1, load.hosts, each)
        sizes = GIB * generator.uniform(2, 6, each)
        targets = ((source + offsets) % load.hosts).tolist()
        clock.process(sender(flow_network, source, targets, sizes.tolist()))
    clock.run()
    return {
        "count": len(sources) * load.at_a_time * each,
        "simulated_s": clock.now,
        "build_s": built - begin,
        "transfers_s": time.process_time() - built,
    }


def measure(load: Load, transport: str) -> None:
    """Measure a load and print a row."""
    found = measured(load, transport)
    print(
        f"| {load.hosts} | {load.senders * load.at_a_time} | {found['count']} "
        f"| {found['simulated_s']:.0f} | {found['build_s']:.2f} | {found['transfers_s']:.2f} "
        f"| {found['transfers_s'] / found['count'] * 1e6:.0f} |"
    )


def day(hours: float) -> None:
    """Simulate hours of the published day with each entry of :data:`DAYS`; print a row each.

    The last column is what a migration costs more than one at a fixed rate, in µs of CPU.
    """
    print(
        "| migrations | number | CPU s | ratio | additional per migration, µs "
        "|\n|---|---:|---:|---:|---:|"
    )
    alone_s = 0.0
    for name, overrides in DAYS.items():
        scenario = Scenario.load(
            "library/beloglazov2012", f"run.duration={hours} h", "baseline={type: none}", *overrides
        )
        engine = build(scenario).engine
        begin = time.process_time()
        moves = len(engine.run().tables["migrations"]["vm"])
        spent = time.process_time() - begin
        alone_s = alone_s or spent
        more = (spent - alone_s) / moves * 1e6
        print(f"| {name} | {moves} | {spent:.2f} | {spent / alone_s:.1f} | {more:.0f} |")


def yardstick() -> None:
    """Print the CPU time of ten million additions, to compare machines by."""
    begin = time.process_time()
    total = 0
    for number in range(10_000_000):
        total += number
    print(f"yardstick: {time.process_time() - begin:.2f} s\n")


def main() -> None:
    """Print the curves, or the day that the options ask for, between two yardsticks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out the largest farm")
    parser.add_argument("--day", type=float, metavar="HOURS", help="the published day, no curves")
    parser.add_argument("--transport", default="plain", choices=TRANSPORTS)
    arguments = parser.parse_args()
    yardstick()
    if arguments.day:
        day(arguments.day)
        return
    head = ("hosts", "at a time", "transfers", "simulated s", "building s", "CPU s", "µs each")
    print("| " + " | ".join(head) + " |\n" + "|---:" * len(head) + "|")
    farms = [250, 1000] if arguments.quick else [250, 1000, 4000]
    for hosts in farms:
        measure(Load(hosts, 100, 10, 1), arguments.transport)
    for at_a_time in (1, 2, 5):
        measure(Load(1000, 1000, 10, at_a_time), arguments.transport)
    print()
    yardstick()


if __name__ == "__main__":
    main()

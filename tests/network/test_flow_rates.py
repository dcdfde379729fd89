"""Transfers on the clock: against hand computation, SimGrid's figures, and conservation."""

import math
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import simpy
from builders import two_hosts
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.network.max_min import fill
from farmsim.models.network.network import Network
from farmsim.models.network.transport import CM02, LV08, PLAIN, Transport
from farmsim.sim.base.clock import Clock
from farmsim.sim.migration.transfers import FlowNetwork, StalledError, Transfer

GBIT = 125e6
"""Bytes/s of a link of 1 Gbit/s."""
INSTANT = Transport(latency_factor=0.0)


def board_of(network: Network, transport: Transport = INSTANT) -> FlowNetwork:
    return FlowNetwork(Clock(), network, transport)


def took(flow_network: FlowNetwork, *transfers: simpy.Event) -> list[float]:
    flow_network._clock.run()
    return [float(transfer.value or 0.0) for transfer in transfers]


def later(flow_network: FlowNetwork, delay_s: float, *arguments: Any) -> simpy.Process:
    def story() -> Generator[simpy.Event, Any, float]:
        yield flow_network._clock.timeout(delay_s)
        time_s: float = yield flow_network.send(*arguments)
        return time_s

    return flow_network._clock.process(story())


@pytest.mark.parametrize(
    ("transport", "gbps", "size", "expected"),
    [
        # single, i = 0, 1 GiB and 16 GiB: the copy, an empty last round and an empty answer.
        (LV08, 1, 2**30, 9.302285806),
        (CM02, 1, 2**30, 9.019731322),
    ],
)
def test_simgrid_single(transport: Transport, gbps: float, size: float, expected: float) -> None:
    flow_network = board_of(two_hosts(1000 * gbps, 1e-4), transport)

    def story() -> Generator[simpy.Event, Any, None]:
        yield flow_network.send(0, 1, size)
        yield flow_network.send(0, 1, 0)
        yield flow_network.send(1, 0, 0)

    flow_network._clock.process(story())
    flow_network._clock.run()
    assert flow_network._clock.now == pytest.approx(expected, abs=1e-9)


def test_the_window_limits_long_fast_lines() -> None:
    """SimGrid: 10 Gbit/s and 10 ms carry 1 GiB in 5.6687 s, stages and answers included."""
    flow_network = board_of(two_hosts(10_000, 0.01), LV08)
    transfer = flow_network.send(0, 1, 2**30)
    flow_network._clock.run(until=1.0)
    assert flow_network.rate_of(transfer) == pytest.approx(203.4e6, rel=1e-3)
    # The copy, then an empty last round and an empty answer of one latency each.
    assert took(flow_network, transfer)[0] + 2 * 0.1301 == pytest.approx(5.6687, abs=1e-4)


def test_full_duplex_lines_carry_the_cross_traffic_on_the_other_side() -> None:
    flow_network = board_of(two_hosts(1000, 1e-4, full_duplex=True), LV08)
    transfer = flow_network.send(0, 1, GBIT)
    assert took(flow_network, transfer) == [pytest.approx(0.001301 + 1 / 0.97)]
    assert flow_network.link_bytes.tolist() == pytest.approx([GBIT, 0.05 * GBIT])


def test_two_on_a_line_take_twice_as_long() -> None:
    flow_network = board_of(two_hosts(1000, 1e-4))
    assert took(flow_network, flow_network.send(0, 1, GBIT), flow_network.send(1, 0, GBIT)) == [
        2.0,
        2.0,
    ]
    duplex = board_of(two_hosts(1000, 1e-4, full_duplex=True))
    assert took(duplex, duplex.send(0, 1, GBIT), duplex.send(1, 0, GBIT)) == [1.0, 1.0]


def test_staggered_by_hand() -> None:
    """Alone for 1 s, then half for 2 s until the shorter is through, then alone again."""
    flow_network = board_of(two_hosts(1000, 1e-4))
    first, second = flow_network.send(0, 1, 4 * GBIT), later(flow_network, 1.0, 0, 1, 1 * GBIT)
    assert took(flow_network, first, second) == pytest.approx([5.0, 2.0])


def test_a_cap_leaves_the_rest_to_others() -> None:
    flow_network = board_of(two_hosts(1000, 1e-4))
    slow, fast = (
        flow_network.send(0, 1, 0.4 * GBIT, 0.2 * GBIT),
        flow_network.send(0, 1, 0.8 * GBIT),
    )
    flow_network._clock.run(until=0.5)
    assert flow_network.rate_of(slow) == pytest.approx(0.2 * GBIT)
    assert flow_network.rate_of(fast) == pytest.approx(0.8 * GBIT)
    assert flow_network.sent_bytes(slow) == pytest.approx(0.1 * GBIT)
    assert took(flow_network, slow, fast) == pytest.approx([2.0, 1.0])


def test_background_takes_its_share() -> None:
    network = two_hosts(1000, 1e-4)
    network.background[:] = 0.75
    flow_network = board_of(network)
    assert took(flow_network, flow_network.send(0, 1, GBIT)) == [4.0]


def test_nothing_takes_the_latency() -> None:
    flow_network = board_of(Network.single_switch(2, 1000, 1e-3), PLAIN)
    assert took(flow_network, flow_network.send(0, 1, 0)) == [pytest.approx(2e-3)]
    assert not flow_network.link_bytes.any()


def test_a_withdrawn_transfer_gives_its_share_back() -> None:
    flow_network = board_of(two_hosts(1000, 1e-4))
    one, other = flow_network.send(0, 1, 10 * GBIT), flow_network.send(0, 1, 2 * GBIT)
    flow_network._clock.run(until=2.0)
    one.withdraw()
    assert flow_network.link_rates.tolist() == [GBIT]
    assert took(flow_network, one, other) == [math.inf, 3.0]
    assert not flow_network.link_rates.any()
    assert flow_network.link_bytes.tolist() == [3 * GBIT]


@pytest.mark.parametrize("at_s", [0.0, 1e-4, 2e-4])
def test_withdrawn_before_its_first_byte(at_s: float) -> None:
    flow_network = board_of(two_hosts(1000, 2e-4), PLAIN)
    transfer = flow_network.send(0, 1, GBIT)
    if at_s:
        flow_network._clock.run(until=at_s)
    transfer.withdraw()
    assert took(flow_network, transfer) == [math.inf]
    assert not flow_network.link_rates.any()
    assert not flow_network.link_bytes.any()
    assert not flow_network.link_rates.any()


def test_impossible_transfers_are_refused() -> None:
    flow_network = board_of(Network.single_switch(2, 1000, 1e-4))
    for arguments, message in (
        ((0, 1, -1.0), "at least 0"),
        ((0, 1, math.inf), "finite"),
        ((0, 1, math.nan), "at least 0"),
        ((0, 1, 1.0, 0.0), "must be above 0"),
        ((0, 0, 1.0), "sends to itself"),
        ((0, 2, 1.0), "rows 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            flow_network.send(*arguments)
    assert not flow_network.link_rates.any()


def test_what_gets_no_bandwidth_is_named() -> None:
    network = Network.single_switch(2, 1000, 1e-4)
    network.capacity_mbps[network.route(0, 1)[1]] = 0.0
    flow_network = board_of(network)
    flow_network.send(0, 1, 5.0)
    with pytest.raises(StalledError, match="5 bytes from host-0 to host-1 gets no bandwidth over"):
        flow_network._clock.run()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_factor", -1.0), ("bandwidth_factor", 0.0), ("bandwidth_factor", 1.1),
        ("cross_traffic", -0.1), ("tcp_window_mib", -1.0), ("cross_traffic", math.nan),
    ],
)  # fmt: skip
def test_impossible_transports_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Transport(**{field: value})


SEND = st.tuples(
    st.integers(0, 7), st.integers(1, 7), st.floats(1e6, 1e9), st.floats(0, 8),
    st.one_of(st.just(math.inf), st.floats(1e6, 2e8)), st.one_of(st.none(), st.floats(0, 12)),
)  # fmt: skip


@given(st.lists(SEND, min_size=1, max_size=12), st.sampled_from([PLAIN, LV08]))
@settings(max_examples=60, deadline=None)
def test_bytes_are_rates_times_time_and_rates_are_those_from_scratch(
    sends: list[tuple[int, int, float, float, float, float | None]], transport: Transport
) -> None:
    """Between two events rates are constant; sums over them are what links and flows report."""
    network = Network.fat_tree(8, 1000, 1e-4)
    clock = Clock()
    flow_network = FlowNetwork(clock, network, transport)
    under_way: dict[Transfer, tuple[float, int, int, float]] = {}
    sent: dict[Transfer, float] = {}
    carried = np.zeros(len(network))

    def story(
        source: int, offset: int, size: float, start_s: float, cap: float, stop_s: float | None
    ) -> Generator[simpy.Event, Any, None]:
        yield clock.timeout(start_s)
        target = (source + offset) % 8
        transfer = flow_network.send(source, target, size, cap)
        under_way[transfer], sent[transfer] = (size, source, target, cap), 0.0
        yield transfer if stop_s is None else transfer | clock.timeout(stop_s)
        transfer.withdraw()

    for each in sends:
        clock.process(story(*each))
    while clock.peek() < math.inf:
        before_s = clock.now
        rates = {each: flow_network.rate_of(each) for each in under_way}
        link_rates = flow_network.link_rates
        assert_from_scratch(network, transport, under_way, rates)
        clock.step()
        passed_s = clock.now - before_s
        carried += link_rates * passed_s
        for transfer, rate in rates.items():
            sent[transfer] += rate * passed_s
        np.testing.assert_allclose(flow_network.link_bytes, carried, rtol=1e-9, atol=1e-3)
    assert not flow_network.link_rates.any()
    for transfer, (size, *_) in under_way.items():
        if float(transfer.value or 0.0) < math.inf:
            assert sent[transfer] == pytest.approx(size, rel=1e-9)


def assert_from_scratch(
    network: Network,
    transport: Transport,
    under_way: dict[Transfer, tuple[float, int, int, float]],
    rates: dict[Transfer, float],
) -> None:
    flow_of, link_of, load = list[int](), list[int](), list[float]()
    caps, found = list[float](), list[float]()
    for transfer, rate in rates.items():
        if rate == 0:
            continue
        _, source, target, cap = under_way[transfer]
        route = network.route(source, target)
        for links, weight in ((route, 1.0), (network.reverse[route], transport.cross_traffic)):
            if not weight:
                continue
            flow_of += [len(found)] * len(links)
            link_of += links.tolist()
            load += [weight] * len(links)
        caps.append(min(cap, transport.window_rate(float(network.latency_s[route].sum()))))
        found.append(rate)
    capacity = transport.payload_bytes_s(network.capacity_mbps)
    expected, _ = fill(
        capacity, np.array(flow_of, int), np.array(link_of, int), np.array(caps), np.array(load)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_ways_remembered_are_forgotten_when_links_fail() -> None:
    network = Network.leaf_spine(2, 1, 2, 8.0, 8.0, 1e-9)
    flow_network = board_of(network)
    first = flow_network.send(0, 1, 1e6)
    flow_network.reroute(network.cut(np.array([first.path.route[1]])))
    assert flow_network.send(0, 1, 1e6).path.route == network.path(0, 1) != first.path.route

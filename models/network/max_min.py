"""Max-min fair sharing of link bandwidth.

Max-min fairness: nobody can get more without somebody who has no more getting less (Bertsekas
and Gallager, Data Networks, 2nd ed. 1992, section 6.5.2). With the load ``a_fl`` that a unit
of flow f puts on link l, rates ``x`` obey ``sum over f of a_fl x_f <= capacity_l`` and
``x_f <= cap_f``, and they are the max-min fair ones if and only if every flow is at its cap or
has a bottleneck: a full link on which no other flow is faster.
"""

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from ..base.arrays import Floats, Ints, added

CAPPED = -1
"""In place of a bottleneck: the flow is held by its own cap."""


def fill(
    capacity: Floats, flow_of: Ints, link_of: Ints, cap: Floats, load: Floats | None = None
) -> tuple[Floats, Ints]:
    """Return the max-min fair rate of each flow, in the unit of ``capacity``, and its bottleneck.

    Position i of ``flow_of``, ``link_of`` and ``load`` says that flow ``flow_of[i]`` crosses
    link ``link_of[i]`` and puts ``load[i]``, above 0, on it per unit of its rate (1 where
    ``load`` is None). A flow that crosses no link gets its cap. Capacity below zero counts as
    none. The bottleneck is a link, or ``CAPPED``.

    Progressive filling, at all links at once: while a link's flows rise together, the level at
    which it is full, ``room / sum of loads``, only grows when flows are held elsewhere. A link
    none of whose flows is held lower by another link or a cap is therefore a bottleneck for
    good, wherever its level lies. A round settles all such links; the rounds are as many as the
    longest chain of bottlenecks that wait for each other, not as many as there are levels.
    """
    links, flows = len(capacity), len(cap)
    load = np.ones(len(link_of)) if load is None else load
    room = np.maximum(capacity, 0.0)
    rate, bottleneck = cap.copy(), np.full(flows, CAPPED)
    while len(flow_of):
        asked = np.bincount(link_of, load, links)
        level = np.full(links, np.inf)
        np.divide(room, asked, out=level, where=asked > 0)
        offered = level[link_of]
        bound = cap.copy()
        np.minimum.at(bound, flow_of, offered)
        waits = bound[flow_of] < offered
        settled = (np.bincount(link_of[waits], minlength=links) == 0)[link_of]
        at_cap = ~(bound[flow_of] < cap[flow_of])
        done = np.zeros(flows, bool)
        for ends, holder in ((settled, link_of[settled]), (at_cap, CAPPED)):
            done[flow_of[ends]] = True
            bottleneck[flow_of[ends]] = holder
        out = done[flow_of]
        rate[flow_of[out]] = bound[flow_of[out]]
        spent = np.bincount(link_of[out], load[out] * rate[flow_of[out]], links)
        room = np.maximum(room - spent, 0.0)
        stay = ~out
        flow_of, link_of, load = flow_of[stay], link_of[stay], load[stay]
    return rate, bottleneck


def fill_few(
    room: Sequence[float],
    crossed: Sequence[Sequence[int]],
    loads: Sequence[Sequence[float]],
    cap: Sequence[float],
    before: Sequence[float],
) -> tuple[list[float], list[int]]:
    """Return what :func:`fill` does, for a handful of flows, where calling NumPy costs more.

    ``crossed`` are the links of each flow, ``loads`` its load on each per unit of rate,
    ``room`` what every link of the network has left beside the rates ``before``, which the
    flows give up. A link of one flow only is no more than another cap on it. The others are
    taken in the order of their levels; since a level only grows, it is brought up to date when
    its turn comes.
    """
    rate, bottleneck = list(cap), [CAPPED] * len(cap)
    alone, shared = _users(crossed, loads)
    for link, (flow, load) in alone.items():
        if link not in shared and room[link] < (rate[flow] - before[flow]) * load:
            rate[flow] = max(room[link] / load + before[flow], 0.0)
            bottleneck[flow] = link
    turns: list[tuple[float, int]] = []
    left: dict[int, float] = {}
    ways: dict[int, list[tuple[int, float]]] = {}
    for link, members in shared.items():
        left[link] = room[link] + added([load * before[flow] for flow, load in members])
        turns.append((_level(left[link], members), link))
        for flow, load in members:
            ways.setdefault(flow, []).append((link, load))
    turns += [(rate[flow], ~flow) for flow in ways]
    heapify(turns)
    while ways:
        at, which = heappop(turns)
        settled = [~which]
        if which >= 0:
            rising = [member for member in shared[which] if member[0] in ways]
            level = _level(left[which], rising)
            if level > at:
                heappush(turns, (level, which))
                continue
            settled = [flow for flow, _ in rising]
            for flow in settled:
                rate[flow], bottleneck[flow] = level, which
        for flow in settled:
            for link, load in ways.pop(flow, ()):
                left[link] -= load * rate[flow]
    return rate, bottleneck


def _users(
    crossed: Sequence[Sequence[int]], loads: Sequence[Sequence[float]]
) -> tuple[dict[int, tuple[int, float]], dict[int, list[tuple[int, float]]]]:
    """Return the first flow of each link with its load, and all of them where there are more."""
    first: dict[int, tuple[int, float]] = {}
    shared: dict[int, list[tuple[int, float]]] = {}
    for flow, (links, weights) in enumerate(zip(crossed, loads, strict=True)):
        for link, load in zip(links, weights, strict=True):
            if link not in first:
                first[link] = (flow, load)
            elif link in shared:
                shared[link].append((flow, load))
            else:
                shared[link] = [first[link], (flow, load)]
    return first, shared


def _level(room: float, members: list[tuple[int, float]]) -> float:
    """Return the rate at which flows fill a link; without flows it is never full."""
    asked = added([load for _, load in members])
    return max(room, 0.0) / asked if asked else math.inf

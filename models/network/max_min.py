"""Max-min fair sharing of link bandwidth.

Max-min fairness: nobody can get more without somebody who has no more getting less (Bertsekas
and Gallager, Data Networks, 2nd ed. 1992, section 6.5.2). With the load ``a_fl`` that a unit
of flow f puts on link l, rates ``x`` obey ``sum over f of a_fl x_f <= capacity_l`` and
``x_f <= cap_f``, and they are the max-min fair ones if and only if every flow is at its cap or
has a bottleneck: a full link on which no other flow is faster.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from ..base.arrays import Floats, Ints, Singles, added

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
    blocked, done = np.zeros(links, bool), np.zeros(flows, bool)
    while len(flow_of):
        asked = np.bincount(link_of, load, links)
        level = np.full(links, np.inf)
        np.divide(room, asked, out=level, where=asked > 0)
        offered = level[link_of]
        bound = cap.copy()
        np.minimum.at(bound, flow_of, offered)
        own = bound[flow_of]
        blocked[:] = False
        blocked[link_of[own < offered]] = True
        settled = ~blocked[link_of]
        at_link, at_cap = flow_of[settled], flow_of[~(own < cap[flow_of])]
        done[:] = False
        done[at_link] = done[at_cap] = True
        bottleneck[at_link] = link_of[settled]
        bottleneck[at_cap] = CAPPED
        out = done[flow_of]
        rate[flow_of[out]] = own[out]
        spent = np.bincount(link_of[out], load[out] * own[out], links)
        room = np.maximum(room - spent, 0.0)
        stay = ~out
        flow_of, link_of, load = flow_of[stay], link_of[stay], load[stay]
    return rate, bottleneck


def fill_few(
    room: Singles | Sequence[float],
    crossed: Sequence[Sequence[int]],
    loads: Sequence[Sequence[float]] | None,
    cap: Sequence[float],
    before: Sequence[float],
) -> tuple[list[float], list[int]]:
    """Return what :func:`fill` does, for a handful of flows, where calling NumPy costs more.

    ``crossed`` are the links of each flow, ``loads`` its load on each per unit of rate (None: 1
    everywhere), ``room`` what every link of the network has left beside the rates ``before``,
    which the flows give up. A link of one flow only is no more than another cap on it. The others
    are taken in the order of their levels; since a level only grows, it is brought up to date when
    its turn comes.
    """
    rate, bottleneck = list(cap), [CAPPED] * len(cap)
    members, weights = _users(crossed, loads)
    left = _rooms_left(room, members, weights, before, (rate, bottleneck))
    alive = {link: len(members[link]) for link in left}
    asked = {link: added(weights[link]) for link in left} if weights else alive
    turns = [(_level(left[link], asked[link]), link) for link in left]
    rises = [not left.keys().isdisjoint(links) for links in crossed]
    turns += [(rate[flow], ~flow) for flow, waits in enumerate(rises) if waits]
    rising = rises.count(True)
    heapify(turns)
    while rising:
        at, which = heappop(turns)
        if which >= 0:
            if weights:
                level = _level(left[which], _rising(members[which], weights[which], rises))
            else:
                level = _level(left[which], alive[which])
            if level > at:
                heappush(turns, (level, which))
                continue
            settled = [flow for flow in members[which] if rises[flow]]
            for flow in settled:
                rate[flow], bottleneck[flow] = level, which
        else:
            settled = [~which] if rises[~which] else []
        rising -= len(settled)
        for flow in settled:
            rises[flow] = False
            own, links = rate[flow], crossed[flow]
            taken = [own] * len(links) if loads is None else [load * own for load in loads[flow]]
            for link, more in zip(links, taken, strict=True):
                if link in left:
                    left[link] -= more
                    alive[link] -= 1
    return rate, bottleneck


def _rooms_left(
    room: Singles | Sequence[float],
    members: dict[int, list[int]],
    weights: dict[int, list[float]],
    before: Sequence[float],
    held: tuple[list[float], list[int]],
) -> dict[int, float]:
    """Return what links that flows share have left for them, by link.

    Links of one flow lower its rate, and are its bottleneck, in the lists ``held``.
    """
    rate, bottleneck = held
    left: dict[int, float] = {}
    for link, flows in members.items():
        if len(flows) > 1:
            given = [before[flow] for flow in flows]
            if weights:
                given = [load * each for load, each in zip(weights[link], given, strict=True)]
            left[link] = room[link] + added(given)
            continue
        flow, load = flows[0], weights[link][0] if weights else 1.0
        if room[link] < (rate[flow] - before[flow]) * load:
            rate[flow] = max(room[link] / load + before[flow], 0.0)
            bottleneck[flow] = link
    return left


def _users(
    crossed: Sequence[Sequence[int]], loads: Sequence[Sequence[float]] | None
) -> tuple[dict[int, list[int]], dict[int, list[float]]]:
    """Return the flows of each link, and their loads on it; no loads where there are none."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    weights: dict[int, list[float]] = {}
    for flow, links in enumerate(crossed):
        for link in links:
            members[link].append(flow)
    if loads is not None:
        weights = {link: [] for link in members}
        for links, load_on in zip(crossed, loads, strict=True):
            for link, load in zip(links, load_on, strict=True):
                weights[link].append(load)
    return members, weights


def _rising(flows: list[int], loads: list[float], rises: list[bool]) -> float:
    """Return what the flows of a link that still rise load it, per unit of their rate."""
    return added([load for flow, load in zip(flows, loads, strict=True) if rises[flow]])


def _level(room: float, asked: float) -> float:
    """Return the rate at which flows fill a link; without flows it is never full."""
    return max(room, 0.0) / asked if asked else math.inf

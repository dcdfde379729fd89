"""Who gets how much bandwidth when flows share links.

Max-min fairness: nobody can get more without somebody who has no more getting less (Bertsekas
and Gallager, Data Networks, 2nd ed. 1992, section 6.5.2). With the load ``a_fl`` that a unit
of flow f puts on link l, rates ``x`` obey ``sum over f of a_fl x_f <= capacity_l`` and
``x_f <= cap_f``, and they are the max-min fair ones if and only if every flow is at its cap or
has a bottleneck: a full link on which no other flow is faster.
"""

from collections.abc import Sequence

import numpy as np

from .arrays import Floats, Ints

CAPPED = -1
"""In place of a bottleneck: the flow is held by its own cap."""


def max_min(
    capacity: Floats, flow_of: Ints, link_of: Ints, cap: Floats, load: Floats | None = None
) -> Floats:
    """Return the max-min fair rate of each flow, in the unit of ``capacity``.

    Position i of ``flow_of``, ``link_of`` and ``load`` says that flow ``flow_of[i]`` crosses
    link ``link_of[i]`` and puts ``load[i]``, above 0, on it per unit of its rate (1 where
    ``load`` is None). A flow that crosses no link gets its cap. Capacity below zero counts as none.
    """
    return fill(capacity, flow_of, link_of, cap, load)[0]


def fill(
    capacity: Floats, flow_of: Ints, link_of: Ints, cap: Floats, load: Floats | None = None
) -> tuple[Floats, Ints]:
    """Return :func:`max_min` and, per flow, the link that is its bottleneck, or ``CAPPED``.

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
    room: dict[int, float],
    crossed: Sequence[Sequence[int]],
    loads: Sequence[Sequence[float]],
    cap: Sequence[float],
) -> tuple[list[float], list[int]]:
    """Return what :func:`fill` does, for a handful of flows, where calling NumPy costs more.

    ``crossed`` are the links of each flow, ``loads`` its load on each per unit of rate,
    ``room`` the capacity of every link named; it is used up. A link of one flow only is no
    more than another cap on it.
    """
    rate, bottleneck = list(cap), [CAPPED] * len(cap)
    users: dict[int, list[tuple[int, float]]] = {}
    for flow, (links, weights) in enumerate(zip(crossed, loads, strict=True)):
        for link, load in zip(links, weights, strict=True):
            users.setdefault(link, []).append((flow, load))
    ways: dict[int, list[int]] = {}
    for link, members in list(users.items()):
        if len(members) > 1:
            for flow, _ in members:
                ways.setdefault(flow, []).append(link)
            continue
        flow, load = members[0]
        del users[link]
        if room[link] < rate[flow] * load:
            rate[flow], bottleneck[flow] = max(room[link], 0.0) / load, link
    while users:
        _settle(room, users, ways, rate, bottleneck)
    return rate, bottleneck


def _settle(
    room: dict[int, float],
    users: dict[int, list[tuple[int, float]]],
    ways: dict[int, list[int]],
    rate: list[float],
    bottleneck: list[int],
) -> None:
    """One round: settle the flows of all links that nothing else holds lower."""
    level = {
        link: max(room[link], 0.0) / sum(load for _, load in members)
        for link, members in users.items()
    }
    bound = {flow: min(rate[flow], *[level[link] for link in ways[flow]]) for flow in ways}
    done = {flow: bottleneck[flow] for flow, value in bound.items() if value >= rate[flow]}
    for link, members in users.items():
        at = level[link]
        if all(bound[flow] >= at for flow, _ in members):
            done.update((flow, link) for flow, _ in members)
    for flow, holder in done.items():
        rate[flow], bottleneck[flow] = bound[flow], holder
        del ways[flow]
    for link, members in list(users.items()):
        stay = [member for member in members if member[0] not in done]
        if len(stay) < len(members):
            room[link] -= sum(load * rate[flow] for flow, load in members if flow in done)
            users[link] = stay
        if not stay:
            del users[link]

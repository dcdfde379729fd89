"""The sentences of a VM's history: each is made of one row of a table.

Columns that are not known here, such as those of a migration model of one's own, are told too.
"""

import math
from collections.abc import Mapping
from typing import Any

from ..topics.lifecycle.metrics import REJECTED_PREFIX

Row = Mapping[str, Any]

WITHOUT_ROOM = {
    "hosts_no_cpu": "without CPU",
    "hosts_no_memory": "without memory",
    "hosts_vetoed": "would be overloaded",
    "hosts_barred": "are excluded",
}
ASIDE = "moved by way of"
DECIDED = {
    "moved": "is to migrate to {}",
    "moved after others": "is to migrate to {} when other migrations have freed memory",
    ASIDE: "frees memory by migrating to {} first",
    "suspended on the way": "frees memory by suspending to storage on the way to {}",
    "superseded": "was to migrate to {}, superseded later in the same round",
}
"""What became of a decision that names a host, where it was not refused."""

LIFE_TEXTS = {
    "queued": "waits in the queue",
    "starting": "starts on {host}",
    "running": "runs on {host}",
    "crashed": "crashes: {host} fails",
    "lost in a migration": "crashes on {host}: a failure lost pages that it had not fetched yet",
    "to be restarted": "is queued for a restart",
    "cut off": "is cut off on {host}: it is unreachable",
    "reachable again": "is reachable again on {host}",
    "finished": "ends on {host}",
    "dismissed": "is stopped by scaling on {host}",
}
NO_HOST_TEXTS = {
    "finished": "ends without a host",
    "dismissed": "is stopped by scaling without a host",
}
"""What happened to a VM, by the event of its life; without a host some read otherwise."""

UNIT_SUFFIXES = ("_s", "_ms", "_gib", "_mib", "_mbps", "_kwh", "_j", "_share")


def clock(time_s: float, with_day: bool) -> str:
    """Return a time of the run as ``03:25:00``, or ``day 2 03:25:00``, whole seconds that passed.

    Days count from 1 and begin with the run.
    """
    seconds = int(time_s + 1e-6)
    days, rest = divmod(seconds, 86400) if with_day else (0, seconds)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"day {days + 1} {text}" if with_day else text


def span(seconds: float) -> str:
    """Return a duration in the two units that matter.

    Seconds below two minutes, minutes and seconds below two hours, else hours and minutes.
    """
    if seconds < 120:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole // 60 % 60} min"


def number(value: float) -> str:
    """Return a number with its thousands apart, or four figures of a small one."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float, decimals: int | None = None) -> str:
    """Format a share in percent, with three significant digits unless decimals are given."""
    text = f"{100 * share:.3g}" if decimals is None else f"{100 * share:,.{decimals}f}"
    if decimals:
        text = text.rstrip("0").rstrip(".")
    return f"{text} %"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def search(row: Row) -> str:
    """Say how the target was found, or why there is none.

    ``row`` is a row of the table of decisions. Hosts that lacked something are counted only where
    no host was found; one may lack several things.
    """
    considered = row["hosts_considered"]
    if row["target"] is not None:
        hosts = plural(considered, "host")
        return f"cost {number(row['cost'])}, the lowest of {hosts} considered"
    if not considered:
        return "there was no host to choose from"
    lacking = [f"{row[name]:,} {what}" for name, what in WITHOUT_ROOM.items() if row.get(name)]
    return f"none of {plural(considered, 'host')} has capacity" + (
        ": " + ", ".join(lacking) if lacking else ""
    )


def measure(row: Row) -> str:
    """Return what a rule measured relative to its limit; an empty text if it has neither.

    As many decimals are shown as it takes to tell the two apart, six at the most.

    Both are shares of CPU, that of a host where one is named.
    """
    measured, limit = row["measured"], row["limit"]
    if measured is None or limit is None or not (measured or limit):
        return ""
    sides = {1: "above", -1: "below", 0: "at"}
    side = sides[(measured > limit) - (measured < limit)]
    texts: tuple[str, str] = ("", "")
    for decimals in range(1, 7):
        texts = percent(measured, decimals), percent(limit, decimals)
        if side == "at" or texts[0] != texts[1]:
            break
    where = f" on {row['source']}" if row["source"] is not None else ""
    return f" measured {texts[0]}{where}, {side} its limit of {texts[1]}"


def first_placement(row: Row, host: Row | None) -> str:
    """Say where a VM was placed at time 0, or why it was not placed.

    ``host`` is the row of the target, None where there is none.
    """
    policy = row["rule"].partition(": ")[2] or row["rule"]
    if row["target"] is None:
        return f"{row['outcome']} by {policy}: {search(row)}"
    about = f" ({host['server']}, {number(host['memory_gib'])} GiB)" if host else ""
    return f"{row['outcome']} on {row['target']}{about} by {policy}: {search(row)}"


def decision(row: Row) -> str:
    """Say what was decided about a VM, why, and what became of it.

    ``row`` is a row of the table of decisions; one that names a host may have been refused.
    """
    because = f"{row['rule']}{measure(row)}"
    if row["target"] is None:
        return f"{because}; stays, {row['outcome']}: {search(row)}"
    chosen = str(row["target"]) + (f" ({search(row)})" if row["hosts_considered"] else "")
    outcome = ASIDE if row["outcome"].startswith(ASIDE) else row["outcome"]
    if outcome in DECIDED:
        return f"{because}; {DECIDED[outcome].format(chosen)}"
    return f"{because}; was to migrate to {chosen}, refused: {row['outcome']}"


def event_sentence(row: Row) -> str:
    """Say what one event of a VM's life is."""
    kind, _, why = row["event"].partition(": ")
    if row["event"].startswith(REJECTED_PREFIX):
        return f"is rejected for now: {why}"
    texts = LIFE_TEXTS if row["host"] is not None else LIFE_TEXTS | NO_HOST_TEXTS
    text = texts.get(kind, f"is {kind}").format(host=row["host"])
    return f"{text}: {why}" if why else text


def extras(row: Row, known: frozenset[str], units: Mapping[str, str]) -> str:
    """Return the unknown columns of a row, each preceded by a comma.

    ``units`` maps columns to units. Empty columns are left out.
    """
    texts = []
    for name, value in row.items():
        if name in known or value is None or value == "":
            continue
        texts.append(f", {_plain(name, units.get(name, ''))} {_value(value, units.get(name, ''))}")
    return "".join(texts)


def _plain(name: str, unit: str) -> str:
    """Return the name of a column as words, without the suffix of its unit."""
    if unit:
        for suffix in UNIT_SUFFIXES:
            name = name.removesuffix(suffix)
    return name.replace("_", " ")


def _value(value: Any, unit: str) -> str:
    """Return a value of any kind as text."""
    if isinstance(value, Mapping):
        return " ".join(f"{_plain(key, '')} {_value(each, '')}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return "(" + "; ".join(_value(each, "") for each in value) + ")"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _amount(value, unit) if isinstance(value, int | float) else str(value)


def _amount(value: float, unit: str) -> str:
    """Return a number with its unit; times and shares in the units that people use."""
    if unit == "share":
        return percent(value)
    if unit == "s":
        return span(value)
    return number(value) + (f" {unit}" if unit and unit != "rounds" else "")


def summary(about: Row, figures: Row) -> str:
    """Sum up in a few lines where a VM was, what was decided, and what it was not served.

    ``about`` is the row of the VM; ``figures`` are counts, sums in s and GiB, and how many
    decisions had which outcome.
    """
    lines = [_host_text(about, figures), *_lifetime_text(about), _decisions(figures)]
    return "\n".join([*lines, *_moves(figures), _service(about)])


def _host_text(about: Row, figures: Row) -> str:
    """Return where the VM was first and last, and on how many hosts."""
    if about["first_host"] is None:
        return f"{about['state']}: {about['reason'] or 'no host was found for it'}"
    last = about["last_host"] or "none"
    if figures["hosts"] == 1 and last == about["first_host"]:
        return f"on {last} all the time"
    return f"first on {about['first_host']}, last on {last}; {plural(figures['hosts'], 'host')}"


def _lifetime_text(about: Row) -> list[str]:
    """Return a line on waiting, run time and downtime of a VM; none without life cycle data."""
    texts = []
    if about.get("waited_s"):
        texts.append(f"waited {span(about['waited_s'])}")
    if about.get("started_h") is not None and about.get("ended_h") is not None:
        texts.append(
            f"left {span((about['ended_h'] - about['started_h']) * 3600)} after it first ran"
        )
    if about.get("down_s"):
        texts.append(f"down for {span(about['down_s'])}")
    return ["; ".join(texts)] if texts else []


def _decisions(figures: Row) -> str:
    """Return how many decisions there were about the VM, by what became of them."""
    if not figures["decisions"]:
        return "no decisions after the start"
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in figures["outcomes"].items())
    return f"{plural(figures['decisions'], 'decision')}: {told}"


def _moves(figures: Row) -> list[str]:
    """Return lines on the migrations of a VM: how many, how much, how long, with what downtime.

    Empty for one that was never migrated.
    """
    lines = []
    if figures["moves_ended"]:
        text = (
            f"{plural(figures['moves_ended'], 'migration')} ended: {number(figures['copied_gib'])} "
            f"GiB copied in {span(figures['moving_s'])}"
        )
        if figures["waiting_s"]:
            text += f", after {span(figures['waiting_s'])} of waiting"
        lines.append(text)
    if figures["moves_not_ended"]:
        lines.append(f"{plural(figures['moves_not_ended'], 'migration')} did not end")
    if "downtime_s" in figures:
        lines.append(f"downtime {span(figures['downtime_s'])} in total")
    if figures["unmodelled"]:
        lines.append(f"downtime of {plural(figures['unmodelled'], 'migration')} not modelled")
    return lines


def _service(about: Row) -> str:
    """Return what the VM asked for, what it was not served, and how long it had to wait."""
    if not about["requested_ghz_h"]:
        return "requested no CPU"
    costop = about.get("costop_share")
    return (
        f"requested {number(about['requested_ghz_h'])} GHz h, {percent(about['utilisation_mean'])} "
        f"of its size; {_unserved_text(about)}; ready but not running "
        f"{percent(about['ready_share'])} of the time"
        + (f", co-stopped {percent(costop)}" if costop else "")
    )


UNSERVED_CAUSES = {
    "saturated": "because its hosts were saturated",
    "vm_limit": "beyond its own vCPUs or limit",
    "overhead": "by virtualisation overhead",
    "migration": "by migration",
    "not_running": "while it did not run",
}
"""How to say why work of a VM was not done, by cause."""


def _unserved_text(about: Row) -> str:
    """Return by cause what a VM asked for and did not get, as shares of all that it asked for."""
    parts = [
        f"{percent(about[f'unserved_{cause}_share'])} {why}"
        for cause, why in UNSERVED_CAUSES.items()
        if about[f"unserved_{cause}_share"]
    ]
    return f"not served: {', '.join(parts)}" if parts else "all served"


def finite(value: Any) -> Any:
    """Return a row, or any value of one, with None in place of numbers that JSON lacks.

    NaN and infinities are what a table holds where nothing was measured.
    """
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""What a VM's life adds to its story: asked for, waiting, starting, down, gone."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..topics.lifecycle.metrics import REJECTED_PREFIX
from .vm_sentences import Row

GONE = ("finished", "dismissed", "crashed", "lost in a move")
"""Events that take a VM off its host."""

HERE = ("starting", "running")
TEXTS = {
    "queued": "waits in the queue",
    "starting": "starts on {host}",
    "running": "runs on {host}",
    "crashed": "{host} fails under it",
    "lost in a move": "crashes on {host}: a failure took the pages that it had not fetched yet",
    "to be restarted": "is to be started again",
    "cut off": "is cut off on {host}: nobody reaches it",
    "reached again": "is reached again on {host}",
    "finished": "leaves {host}, finished",
    "dismissed": "is dismissed from {host}",
}
NO_HOST = {
    "finished": "leaves, finished without a host",
    "dismissed": "is dismissed without a host",
}


class HostStay(NamedTuple):
    """A host that a VM was on or going to, and when."""

    host: str
    from_s: float
    to_s: float

    def sees(self, row: Row) -> bool:
        """Whether something happened to the host meanwhile."""
        return bool(row["host"] == self.host and self.from_s <= row["time_s"] <= self.to_s)


def host_stays(
    about: Row, life: Iterable[Row], moves: Sequence[Row], end_s: float
) -> list[HostStay]:
    """Return where a VM was and was going to, in order of time."""
    found: list[HostStay] = []
    for stay in _without_migrations(about, life, end_s):
        on, since_s = stay.host, stay.from_s
        for row in moves:
            if not stay.from_s <= row["decided_s"] <= stay.to_s:
                continue
            if row["finished"]:
                found.append(HostStay(on, since_s, row["end_s"]))
                on, since_s = row["target"], row["decided_s"]
            else:
                found.append(HostStay(row["target"], row["decided_s"], row["end_s"]))
        found.append(HostStay(on, since_s, stay.to_s))
    return found


def _without_migrations(about: Row, life: Iterable[Row], end_s: float) -> list[HostStay]:
    """Return the stays on hosts as if nothing had been moved."""
    found: list[HostStay] = []
    host, since_s = None, 0.0
    if not about.get("ran_h"):
        # It is there from the start, of which its life has no event.
        host = about["first_host"]
    for row in life:
        if row["event"] in HERE and host is None:
            host, since_s = row["host"], row["time_s"]
        elif row["event"] in GONE and host is not None:
            found.append(HostStay(host, since_s, row["time_s"]))
            host = None
    return found if host is None else [*found, HostStay(host, since_s, end_s)]


def event_sentence(row: Row) -> str:
    """Say what one event of a VM's life is."""
    kind, _, why = row["event"].partition(": ")
    if row["event"].startswith(REJECTED_PREFIX):
        return f"is turned away: {why}"
    texts = TEXTS if row["host"] is not None else TEXTS | NO_HOST
    text = texts.get(kind, f"is {kind}").format(host=row["host"])
    return f"{text}: {why}" if why else text

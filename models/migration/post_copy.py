"""Post-copy: move the guest first and fetch its pages while it runs at the target.

Hines and Gopalan (2009). Each page is sent once whatever the guest writes, so a migration always
ends; in return the guest waits for pages, and it is lost if source, target or network fails
before all have come.
"""

import math
from typing import ClassVar, NamedTuple

from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter
from .course import BYTES_PER_MIB, Guest, Measured, MigrationEnd, MigrationSteps, Step
from .dirty_pages import DirtyPages, DirtyRate
from .suspend_resume import MemoryHandover, Steps

PULLS = 8
"""The fault penalty falls as pages arrive; it is constant within each of so many pieces."""


class RemainingBytes(NamedTuple):
    """What is left to send: pages of memory, and these with writes to a disk that is not shared."""

    pages_bytes: float
    all_bytes: float


@dataclass(frozen=True)
class RemotePages(MemoryHandover):
    """What it costs a guest to run while pages are away.

    A guest at full activity touches ``touches_per_s`` pages a second for the first time; each
    touch of a page still away stops it for ``page_fault_time_s``, a round trip and the page's
    transfer. With a part ``a`` of the pages away it keeps
    ``1 / (1 + touches_per_s * page_fault_time_s * a)`` of its CPU. Both figures and the size of
    the device state are estimates.
    """

    FORMER_FIELDS: ClassVar = {"fault": "page_fault_time"}

    state_mib: float = parameter(
        "State of vCPUs and devices, sent while the guest is stopped. Estimate.",
        4.0,
        key="state",
        dimension="memory",
        ge=0,
    )
    touches_per_s: float = parameter("Pages first touched per second. Estimate.", 1000.0, ge=0)
    page_fault_time_s: float = parameter(
        "Stall of the guest per remote page fault. Estimate.",
        0.0005,
        key="page_fault_time",
        dimension="time",
        ge=0,
    )

    def kept_share(self, away: float) -> float:
        """Return the part of its CPU that a guest keeps with a part of its pages away."""
        return 1.0 / (1.0 + self.touches_per_s * self.page_fault_time_s * away)

    def remaining_after(self, dirtied_bytes: float, guest: Guest, past: Measured) -> RemainingBytes:
        """Return what is left to send after a step in which so much memory was dirtied."""
        pages_bytes = float(math.floor(self.wire_bytes(dirtied_bytes)))
        return RemainingBytes(pages_bytes, pages_bytes + self.written_bytes(guest, past))

    def switch_and_pull(self, guest: Guest, rest: RemainingBytes) -> Steps:
        """Switch the guest to the target, then fetch the rest of its memory in whole bytes.

        Fetching begins when the network knows the new place. A disk comes evenly with the pages.
        """
        rest_bytes, pages = rest.all_bytes, min(1.0, rest.pages_bytes / guest.memory_bytes)
        yield from self.drain()
        yield self.copying_stopped("switch", self.state_mib * BYTES_PER_MIB)
        yield from self.arrive(guest, rest_bytes)
        edges = [math.floor(rest_bytes * piece / PULLS) for piece in range(PULLS + 1)]
        for piece in range(PULLS):
            away = (PULLS - piece - 0.5) / PULLS * pages
            yield Step(
                "pull",
                size_bytes=float(edges[piece + 1] - edges[piece]),
                cap_bytes_s=self.cap_bytes_s,
                guest_share=self.kept_share(away),
                source_share=self.guest_loss,
                target_share=self.target_load,
                arrived=True,
                exposed=rest_bytes > 0,
            )
        yield from self.finish()


@dataclass(frozen=True)
class PostCopy(RemotePages):
    """Stop, send the state, run at the target, fetch every page once.

    ``downtime = S / B + resume``, ``total = downtime + M / B``.
    """

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of the migration."""
        yield from self.prepare(guest)
        size_bytes, scan_s = self.first_pass(guest)
        if scan_s:
            yield Step("find zero pages", wait_s=scan_s)
        rest = RemainingBytes(size_bytes - self.disk_bytes(guest), size_bytes)
        yield from self.switch_and_pull(guest, rest)
        return MigrationEnd(moved=True)


@dataclass(frozen=True)
class Hybrid(RemotePages):
    """One pre-copy round, then post-copy of what was dirtied in it.

    ``bytes = M + dirtied(M / B) + S``: more than post-copy, but fewer pages are away.
    """

    dirty: DirtyPages = parameter("How the guest dirties its memory.", DirtyRate())

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of the migration."""
        yield from self.prepare(guest)
        size_bytes, scan_s = self.first_pass(guest)
        past = yield self.copying("first pass", size_bytes, scan_s)
        dirtied_bytes = self.dirty.dirtied_bytes(guest.memory_bytes, past)
        yield from self.switch_and_pull(guest, self.remaining_after(dirtied_bytes, guest, past))
        return MigrationEnd(moved=True)

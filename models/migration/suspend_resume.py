"""Common parts of all migration models, and the two that stop the guest.

Each model is a frozen dataclass of parameters whose :meth:`steps` is the generator of steps that
``migration_course`` describes. Losses of CPU default to the 10 % of CloudSim; set-up, resume
and announcement times default to 0 or to an estimate that the help names as one.
"""

import math
from collections.abc import Generator
from typing import ClassVar, Literal, TypeAlias

from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter
from .course import BYTES_PER_MIB, Guest, Measured, MigrationEnd, MigrationSteps, Step
from .dirty_pages import BYTES_PER_MEGABIT

PAGE_BYTES = 4096.0
WRITES_OF_LINK = 0.5
MAX_REMAINING_BYTES = BYTES_PER_MIB
StorageMode: TypeAlias = Literal["shared", "before", "with"]
Steps: TypeAlias = Generator[Step, Measured, None]


@dataclass(frozen=True)
class Handover:
    """What every migration needs: its share of the network, and how it begins and ends.

    A ``storage`` that is not ``shared`` is copied too: ``before`` the memory, or ``with`` it in
    the first pass.
    """

    FORMER_FIELDS: ClassVar = {"limit": "max_bandwidth"}

    max_bandwidth_mbps: float = parameter(
        "Maximum bandwidth of a migration; 0: unlimited.",
        0.0,
        key="max_bandwidth",
        dimension="bandwidth",
        ge=0,
    )
    target_load: float = parameter(
        "CPU load of the copy on the target, as a share of the guest's demand.",
        0.1,
        dimension="share",
        ge=0,
        le=1,
    )
    drain_s: float = parameter(
        "Time for draining connections before the guest stops, while it runs.",
        0.0,
        key="drain",
        dimension="time",
        ge=0,
    )
    announce_s: float = parameter(
        "Time until the network delivers to the new host; counts as downtime.",
        0.0,
        key="announce",
        dimension="time",
        ge=0,
    )
    storage: StorageMode = parameter(
        "Whether the disk is shared by both hosts, or copied before or with the memory.", "shared"
    )
    acknowledge: bool = parameter(
        "Whether the migration ends with a message to the source.", default=True
    )

    @property
    def cap_bytes_s(self) -> float:
        """Maximum bytes/s of a transfer."""
        return self.max_bandwidth_mbps * BYTES_PER_MEGABIT or math.inf

    def copying_stopped(
        self, name: str, size_bytes: float, wait_s: float = 0.0, undo_s: float = 0.0
    ) -> Step:
        """Return a transfer during which the guest is down."""
        return Step(
            name,
            wait_s,
            size_bytes,
            cap_bytes_s=self.cap_bytes_s,
            guest_share=0.0,
            target_share=self.target_load,
            down=True,
            undo_s=undo_s,
        )

    def drain(self) -> Steps:
        """Let connections end before the guest stops."""
        if self.drain_s:
            yield Step("drain connections", wait_s=self.drain_s)

    def announce(self, away_bytes: float = 0.0) -> Steps:
        """Announce the guest's new location; until then it is unreachable."""
        if self.announce_s:
            yield self._settling("announce", self.announce_s, away_bytes)._replace(down=True)

    @staticmethod
    def _settling(name: str, wait_s: float, away_bytes: float) -> Step:
        """Return a wait of a guest at the target; ``away_bytes`` of its pages are not."""
        return Step(name, wait_s, arrived=True, exposed=away_bytes > 0)

    def finish(self) -> Steps:
        """Acknowledge the end; the VM is at the target in any case."""
        message = 0.0 if self.acknowledge else None
        yield Step("acknowledge", size_bytes=message, arrived=True, backwards=True)


@dataclass(frozen=True)
class MemoryHandover(Handover):
    """What every migration of a VM with its memory needs besides: preparation, resumption, pages.

    Storage is copied in a single pass with mirrored writes, so that
    ``T = (C + D_w * T) / B = C / (B - D_w)`` (Mashtizadeh et al., 2011, as cited); writes take
    at most half of the link, as a second fair flow would, since a mirrored write waits for both
    sides.
    """

    guest_loss: float = parameter(
        "Share of its CPU that the guest loses while it is copied.",
        0.1,
        dimension="share",
        ge=0,
        lt=1,
    )
    setup_s: float = parameter(
        "Setup time at both hosts while the guest runs.", 0.0, key="setup", dimension="time", ge=0
    )
    resume_s: float = parameter(
        "Downtime from the last byte until the guest runs at the target.",
        0.0,
        key="resume",
        dimension="time",
        ge=0,
    )
    used_share: float = parameter(
        "Share of the memory whose pages are not all zero.", 1.0, dimension="share", gt=0, le=1
    )
    page_header_bytes: float = parameter("Bytes sent with a page, zero pages included.", 0.0, ge=0)
    zero_scan_mbps: float = parameter(
        "Scan rate for zero pages; 0: instantaneous.",
        0.0,
        key="zero_scan",
        dimension="bandwidth",
        ge=0,
    )
    detach_s: float = parameter(
        "Time to detach a passthrough device before the copy, or to attach one after it. Estimate.",
        2.0,
        key="detach",
        dimension="time",
        ge=0,
    )

    def wire_bytes(self, pages_bytes: float) -> float:
        """Return what pages of some size take on the network."""
        return pages_bytes * (1.0 + self.page_header_bytes / PAGE_BYTES)

    def first_pass(self, guest: Guest) -> tuple[float, float]:
        """Return bytes to send for the whole memory, and seconds to find the zero pages."""
        zero_bytes = (1.0 - self.used_share) * guest.memory_bytes
        headers = zero_bytes * self.page_header_bytes / PAGE_BYTES
        scan_s = 0.0
        if self.zero_scan_mbps:
            scan_s = zero_bytes / (self.zero_scan_mbps * BYTES_PER_MEGABIT)
        used_bytes = guest.memory_bytes - zero_bytes
        return math.floor(self.wire_bytes(used_bytes) + headers) + self.disk_bytes(guest), scan_s

    def disk_bytes(self, guest: Guest) -> float:
        """Return what of a disk is sent with the memory."""
        return guest.disk_bytes if self.storage == "with" else 0.0

    def written_bytes(self, guest: Guest, past: Measured) -> float:
        """Return what the guest wrote in a step to a disk that both hosts must keep equal."""
        if self.storage == "shared":
            return 0.0
        return float(math.floor(guest.write_bytes_s * past.busy_s))

    def copying(
        self,
        name: str,
        size_bytes: float,
        wait_s: float = 0.0,
        cap_bytes_s: float = math.inf,
        throttle: float = 0.0,
        is_round: bool = False,
    ) -> Step:
        """Return a transfer during which the guest runs at the source and loses some CPU."""
        return Step(
            name,
            wait_s,
            size_bytes,
            cap_bytes_s=min(cap_bytes_s, self.cap_bytes_s),
            guest_share=(1.0 - self.guest_loss) * (1.0 - throttle),
            source_share=self.guest_loss,
            target_share=self.target_load,
            is_round=is_round,
        )

    def copying_stopped(
        self, name: str, size_bytes: float, wait_s: float = 0.0, undo_s: float = 0.0
    ) -> Step:
        """Return a transfer during which the guest is down; it costs the source, too."""
        step = super().copying_stopped(name, size_bytes, wait_s, undo_s)
        return step._replace(source_share=self.guest_loss)

    def prepare(self, guest: Guest) -> Steps:
        """Detach devices, set up both ends and copy the disk if configured; the guest runs."""
        if guest.passthrough and self.detach_s:
            yield Step("detach device", wait_s=self.detach_s)
        if self.setup_s:
            yield Step("set up", wait_s=self.setup_s)
        if self.storage == "before" and guest.disk_bytes:
            yield from self.copy_disk(guest)

    def copy_disk(self, guest: Guest) -> Steps:
        """Send the disk once, and what is written meanwhile, until less than 1 MiB is left."""
        left_bytes = guest.disk_bytes
        while True:
            past = yield self.copying("storage", left_bytes)
            written = self.written_bytes(guest, past)
            left_bytes = min(written, math.floor(WRITES_OF_LINK * left_bytes))
            if left_bytes < MAX_REMAINING_BYTES:
                break
        if left_bytes:
            yield self.copying("storage", left_bytes)

    def arrive(self, guest: Guest, away_bytes: float = 0.0) -> Steps:
        """Resume on the target and announce the guest; the VM is there from the end of resume.

        Pages of ``away_bytes`` follow later.
        """
        if self.resume_s:
            yield standstill("resume", self.resume_s)
        yield from self.announce(away_bytes)
        if guest.takes_device and self.detach_s:
            yield self._settling("attach device", self.detach_s, away_bytes)


def standstill(name: str, wait_s: float, undo_s: float = 0.0, arrived: bool = False) -> Step:
    """Return a wait during which the guest is down."""
    return Step(name, wait_s, guest_share=0.0, down=True, undo_s=undo_s, arrived=arrived)


@dataclass(frozen=True)
class Cold(Handover):
    """Shut down, copy the disk unless it is shared, boot at the target.

    ``total = downtime = shut down + C / B + boot``; nothing of the memory is sent. The times of
    shutting down and booting are estimates.
    """

    shutdown_s: float = parameter(
        "Shutdown time of the guest. Estimate.", 20.0, key="shutdown", dimension="time", ge=0
    )
    boot_s: float = parameter(
        "Boot time of the guest. Estimate.", 60.0, key="boot", dimension="time", ge=0
    )

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of the migration."""
        yield from self.drain()
        yield standstill("shut down", self.shutdown_s, self.boot_s)
        disk_bytes = 0.0 if self.storage == "shared" else guest.disk_bytes
        yield self.copying_stopped("copy", disk_bytes, undo_s=self.boot_s)
        yield standstill("boot", self.boot_s, arrived=True)
        yield from self.announce()
        yield from self.finish()
        return MigrationEnd(moved=True)


@dataclass(frozen=True)
class SuspendResume(MemoryHandover):
    """Suspend, copy the memory and a disk that is not shared, resume at the target.

    ``downtime = (M + C) / B + resume``; the disk is copied before the guest stops if told so.
    """

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of the migration."""
        yield from self.prepare(guest)
        yield from self.drain()
        size_bytes, scan_s = self.first_pass(guest)
        yield self.copying_stopped("copy", size_bytes, scan_s, undo_s=self.resume_s)
        yield from self.arrive(guest)
        yield from self.finish()
        return MigrationEnd(moved=True)

"""Migrations between platforms: what may move live, what must be converted, what cannot move.

No measured figures of such migrations are public; rates and times are estimates.
"""

import math
from typing import Literal

from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter
from .course import Guest, MigrationEnd, MigrationSteps, Step
from .dirty_pages import BYTES_PER_MEGABIT
from .suspend_resume import Cold, Handover, Steps, StorageMode, standstill

FAMILIES: dict[str, str] = {
    "": "bare metal",
    "ideal": "disk image",
    "vmware": "disk image",
    "workstation": "disk image",
    "workstation_2003": "disk image",
    "first_vt_x": "disk image",
    "kvm": "disk image",
    "qemu_tcg": "disk image",
    "hyper_v": "disk image",
    "xen": "disk image",
    "virtualbox": "disk image",
    "xen_pv": "paravirtual kernel",
}
"""Families of hypervisors, and what their guests are made of.

Between disk images there are converters, and a machine on bare metal can be read into one. No
tool puts an image back onto a machine's own disks or exchanges a paravirtual kernel.
"""


@dataclass(frozen=True)
class MigrationPlatform:
    """One end of a migration: hypervisor family, and the CPU that guests see there.

    ``cpu_level`` is a level of features that hosts of a vendor share, the higher the more, as
    Enhanced vMotion Compatibility counts them; a guest is taken to use that of the host it leaves.
    ``stuck`` says what holds running VMs there; empty if nothing does.
    """

    family: str
    stuck: str = ""
    cpu_vendor: str = ""
    cpu_level: int = 0
    cpu_architecture: str = "x86-64"


@dataclass(frozen=True)
class PlatformChange:
    """How a VM gets from one platform to another: ``live``, ``cold``, ``convert`` or ``refused``.

    ``reason`` says why it is not live; empty if it is.
    """

    kind: Literal["live", "cold", "convert", "refused"]
    reason: str = ""


def platform_change(source: MigrationPlatform, target: MigrationPlatform) -> PlatformChange:
    """Return the best migration method between two platforms."""
    if source.family == target.family:
        return _within_family(source, target)
    for family in (source.family, target.family):
        if family not in FAMILIES:
            known = ", ".join(sorted(name for name in FAMILIES if name))
            return PlatformChange("refused", f"unknown platform {family}; known: {known}")
    if source.cpu_architecture != target.cpu_architecture:
        return PlatformChange("refused", _architectures(source, target))
    if not target.family:
        return PlatformChange("refused", "a VM cannot be converted to bare metal")
    for family in (source.family, target.family):
        if FAMILIES[family] == "paravirtual kernel":
            return PlatformChange("refused", f"guests of {family} need its paravirtual kernel")
    return PlatformChange("convert", f"{source.family or 'bare metal'} and {target.family} differ")


def _within_family(source: MigrationPlatform, target: MigrationPlatform) -> PlatformChange:
    if source.cpu_architecture != target.cpu_architecture:
        return PlatformChange("refused", _architectures(source, target))
    if not source.family:
        return PlatformChange("refused", "systems on bare metal cannot migrate without conversion")
    if source.stuck or target.stuck:
        return PlatformChange(
            "cold", f"{source.stuck or target.stuck} does not support live migration"
        )
    if source.cpu_vendor != target.cpu_vendor:
        return PlatformChange("cold", f"CPUs of {source.cpu_vendor} and {target.cpu_vendor} differ")
    if source.cpu_level > target.cpu_level:
        return PlatformChange("cold", f"CPU level {target.cpu_level} is below {source.cpu_level}")
    return PlatformChange("live")


def _architectures(source: MigrationPlatform, target: MigrationPlatform) -> str:
    return f"CPU architectures {source.cpu_architecture} and {target.cpu_architecture} differ"


@dataclass(frozen=True)
class NoConversion:
    """No conversion: VMs stay on platforms that their migration model supports."""


@dataclass(frozen=True)
class Conversion(Handover):
    """What a change of platform takes: a disk converted at a rate, and a first boot.

    A rate of 0.1 to 0.25 GB/s is an estimate, as are the times of shutting down and booting.
    The disk is sent even if both platforms could read it.
    """

    storage: StorageMode = "before"
    rate_mbps: float = parameter(
        "Speed of converting a disk. Estimate.", 1200.0, key="rate", dimension="bandwidth", gt=0
    )
    shutdown_s: float = parameter(
        "Shutdown time of the guest. Estimate.", 20.0, key="shutdown", dimension="time", ge=0
    )
    boot_s: float = parameter(
        "Boot time of the guest after the conversion. Estimate.",
        120.0,
        key="boot",
        dimension="time",
        ge=0,
    )

    @property
    def cap_bytes_s(self) -> float:
        """Bytes/s of the converter, or the migration's limit if that is lower."""
        return min(self.rate_mbps, self.max_bandwidth_mbps or math.inf) * BYTES_PER_MEGABIT

    def restart(self, storage: StorageMode) -> Cold:
        """Return the migration where only the CPU is another one: nothing is converted."""
        return Cold(
            max_bandwidth_mbps=self.max_bandwidth_mbps,
            target_load=self.target_load,
            drain_s=self.drain_s,
            announce_s=self.announce_s,
            storage=storage,
            acknowledge=self.acknowledge,
            shutdown_s=self.shutdown_s,
            boot_s=self.boot_s,
        )

    def cut_over(self, left_bytes: float) -> Steps:
        """Shut down, convert what is left of the disk, boot at the target."""
        yield from self.drain()
        yield standstill("shut down", self.shutdown_s, self.boot_s)
        yield self.copying_stopped("convert", left_bytes, undo_s=self.boot_s)
        yield standstill("boot", self.boot_s, arrived=True)
        yield from self.announce()
        yield from self.finish()


@dataclass(frozen=True)
class ColdConversion(Conversion):
    """Shut down, convert the disk while it is copied, boot what comes out.

    ``total = downtime = shut down + C / min(B, R) + boot``.
    """

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of the migration."""
        yield from self.cut_over(guest.disk_bytes)
        return MigrationEnd(moved=True)


@dataclass(frozen=True)
class ReplicatedConversion(Conversion):
    """Convert the disk while the guest runs, and its later writes in a final cut-over.

    ``downtime = shut down + min(C, D_w C / R) / min(B, R) + boot``.
    """

    guest_loss: float = parameter(
        "Share of its CPU that the guest loses while its disk is copied.",
        0.1,
        dimension="share",
        ge=0,
        lt=1,
    )

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of the migration."""
        past = yield Step(
            "replicate",
            size_bytes=guest.disk_bytes,
            cap_bytes_s=self.cap_bytes_s,
            guest_share=1.0 - self.guest_loss,
            source_share=self.guest_loss,
            target_share=self.target_load,
        )
        written = math.floor(guest.write_bytes_s * past.busy_s)
        yield from self.cut_over(min(guest.disk_bytes, float(written)))
        return MigrationEnd(moved=True)


CONVERSIONS: dict[str, type] = {
    "none": NoConversion,
    "cold": ColdConversion,
    "replicated": ReplicatedConversion,
}

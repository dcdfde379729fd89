"""Published moves and predictions, and the models set up as their sources describe them.

Confidence marks: V, read in the source or its data; VA, read in an abstract or a copy; M, from
memory of the source, not verified; E, an estimate.
"""

import math

import numpy as np

from farmsim.models.migration.course import Guest, MigrationOutcome, play_alone
from farmsim.models.migration.dirty_pages import BYTES_PER_MEGABIT, DirtyCurve, DirtyRate
from farmsim.models.migration.pre_copy import PreCopy

MB = 1e6
GIB = 1024.0**3
UNCAPPED = {"max_rounds": 100_000, "max_copied": 0.0, "max_stalled_rounds": 0, "guest_loss": 0.0}

# A. Gudkov, Migration time prediction using calc-dirty-rate, qemu-devel, April 2023 (V): a guest
# of which 16,392 pages were sampled, 10,060 of them zero; n pages were dirty after a period.
QEMU_PAGES = 8_392_704
QEMU_SAMPLED = 16_392
QEMU_ZERO = 10_060
QEMU_PERIODS_S = (
    0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.001, 6.0, 8.0, 10.0, 15.0, 20.0, 25.0,
    30.0, 35.0, 40.0, 45.0, 50.0, 60.0,
)  # fmt: skip
QEMU_DIRTY = (
    33, 78, 119, 151, 217, 236, 293, 336, 425, 505, 620, 756, 898, 1204, 1457, 1723, 1934, 2141,
    2328, 2522, 2675, 2958,
)  # fmt: skip
QEMU_HEADER_BYTES = 8
QEMU_GIVES_UP_S = 3600.0
_TARGETS_S = (0.125, 0.25, 0.5, 1.0, 5.0, math.inf)
_CELLS: dict[float, tuple[int | None, ...]] = {
    100: (None, None, None, None, None, 1019),
    1024: (None, None, None, None, None, 100),
    2048: (None, None, None, None, 101, 50),
    2560: (None, None, None, None, 67, 40),
    5120: (48, 46, 31, 28, 25, 20),
    10240: (13, 12, 12, 12, 12, 10),
    25600: (5, 5, 5, 5, 4, 4),
    40960: (3, 3, 3, 3, 3, 3),
}
QEMU = {mbit: dict(zip(_TARGETS_S, cells, strict=True)) for mbit, cells in _CELLS.items()}
"""Seconds, rounded up, by bandwidth in 2^20 bit/s and downtime limit in s."""


def predict_qemu(mebibit_s: float, target_s: float) -> int | None:
    """Return the predicted duration in whole seconds, None if above an hour."""
    bytes_s = mebibit_s * 2**20 / 8
    shares = tuple(count / QEMU_SAMPLED for count in QEMU_DIRTY)
    model = PreCopy(
        max_bandwidth_mbps=bytes_s / BYTES_PER_MEGABIT,
        downtime_target_s=target_s,
        used_share=1 - QEMU_ZERO / QEMU_SAMPLED,
        page_header_bytes=QEMU_HEADER_BYTES,
        dirty=DirtyCurve(QEMU_PERIODS_S, shares),
        **UNCAPPED | {"max_rounds": 300},  # type: ignore[arg-type]
    )
    outcome = play_alone(model.steps(Guest(QEMU_PAGES * 4096.0)), bytes_s)
    if outcome.reaction or outcome.total_s > QEMU_GIVES_UP_S:
        return None
    return math.ceil(outcome.total_s)


OPNFV = {
    "idle": (2.070, 0.029),
    "loaded": (2.271, 0.026),
    "idle, optimised": (0.401, 0.009),
    "loaded, optimised": (0.654, 0.005),
}
"""OPNFV kvmfornfv user guide (V): total and downtime in s of a guest of 8 GiB over 10 GbE.

The downtime limit was 10 ms; loaded means forwarding packets of 64 bytes, 2013 Mbit/s of them.
"""
OPNFV_BYTES = 8 * GIB
OPNFV_TARGET_S = 0.010
OPNFV_LOAD_MBPS = 2013.0
TEN_GBIT_BYTES_S = 1.25e9


def fitted_opnfv(row: str) -> PreCopy:
    """Return a model whose scan rate and resume time are those of an idle row, all pages zero."""
    total_s, downtime_s = OPNFV[row]
    scan_bytes_s = OPNFV_BYTES / (total_s - downtime_s)
    return PreCopy(
        used_share=1e-9,
        zero_scan_mbps=scan_bytes_s / BYTES_PER_MEGABIT,
        resume_s=downtime_s,
        downtime_target_s=OPNFV_TARGET_S,
        dirty=DirtyRate(OPNFV_LOAD_MBPS, 1.0),
        **UNCAPPED,  # type: ignore[arg-type]
    )


def play_opnfv(model: PreCopy, loaded: bool) -> MigrationOutcome:
    """Play the move; the loaded guest dirties as many bytes as it receives (E)."""
    steps = model.steps(Guest(OPNFV_BYTES))
    return play_alone(steps, TEN_GBIT_BYTES_S, activity=float(loaded))


# Clark et al., Live migration of virtual machines, NSDI 2005. The downtimes are VA, all else M.
# The first pass may take 100 Mbit/s, each further round 50 Mbit/s more, up to 500 Mbit/s.
CLARK_LIMIT_MBPS = 500.0
CLARK_FIRST_MBPS = 100.0
CLARK_STEP_MBPS = 50.0
SPECWEB_ROUNDS_MB = (676.8, 126.7, 39.0, 28.4, 24.2, 16.7, 14.2, 15.3, 18.2)
SPECWEB_MEMORY_MB = 800.0
CLARK_LINK_BYTES_S = 1.25e8


def specweb_curve() -> DirtyCurve:
    """Return the power law through time and volume of the published rounds (least squares)."""
    sent_mb = np.array(SPECWEB_ROUNDS_MB)
    limits_mbps = CLARK_FIRST_MBPS + CLARK_STEP_MBPS * np.arange(len(sent_mb) - 1)
    lasted_s = 8 * sent_mb[:-1] / limits_mbps
    slope, offset = np.polyfit(np.log(lasted_s), np.log(sent_mb[1:] / SPECWEB_MEMORY_MB), 1)
    times_s = np.geomspace(0.05, 100.0, 60)
    shares = np.exp(offset) * times_s**slope
    return DirtyCurve(tuple(times_s.tolist()), tuple(shares.tolist()))


def play_specweb() -> MigrationOutcome:
    """800 MB under SPECweb99: the first pass skips what is dirty already, as published."""
    model = PreCopy(
        max_bandwidth_mbps=CLARK_LIMIT_MBPS,
        first_pass_bandwidth_mbps=CLARK_FIRST_MBPS,
        bandwidth_step_mbps=CLARK_STEP_MBPS,
        used_share=SPECWEB_ROUNDS_MB[0] / SPECWEB_MEMORY_MB,
        dirty=specweb_curve(),
        downtime_target_s=1e-6,
        resume_s=0.009,
        **UNCAPPED | {"max_rounds": 7},  # type: ignore[arg-type]
    )
    return play_alone(model.steps(Guest(SPECWEB_MEMORY_MB * MB)), CLARK_LINK_BYTES_S)


QUAKE_FACTOR = 1.37
QUAKE_MEMORY_MB = 64.0


def play_quake() -> MigrationOutcome:
    """64 MB: lambda = 1 - 1/1.37 from the published volume, 20 ms of copying, 40 ms of start."""
    model = PreCopy(
        max_bandwidth_mbps=CLARK_FIRST_MBPS,
        dirty=DirtyRate(CLARK_FIRST_MBPS * (1 - 1 / QUAKE_FACTOR), 1.0),
        downtime_target_s=0.020,
        resume_s=0.040,
        **UNCAPPED,  # type: ignore[arg-type]
    )
    return play_alone(model.steps(Guest(QUAKE_MEMORY_MB * MB)), CLARK_LINK_BYTES_S)


def play_mmuncher() -> MigrationOutcome:
    """512 MB of which 256 MB are rewritten without end, faster than they can be sent."""
    model = PreCopy(
        max_bandwidth_mbps=CLARK_LIMIT_MBPS,
        first_pass_bandwidth_mbps=CLARK_FIRST_MBPS,
        bandwidth_step_mbps=CLARK_STEP_MBPS,
        dirty=DirtyRate(10 * CLARK_LIMIT_MBPS, 0.5),
        resume_s=0.009,
        guest_loss=0.0,
    )
    return play_alone(model.steps(Guest(512 * MB)), CLARK_LINK_BYTES_S)

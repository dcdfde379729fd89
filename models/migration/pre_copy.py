"""Pre-copy: send the memory while the guest runs, then what it wrote meanwhile, and so on.

Clark et al. (2005) for the rounds, Xen for the caps on rounds and volume, QEMU for throttling
and for the switch to post-copy.
"""

import math
from collections.abc import Generator
from typing import ClassVar, Literal, TypeAlias

from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter
from .course import Guest, Measured, MigrationEnd, MigrationSteps, Step
from .dirty_pages import BYTES_PER_MEGABIT, DirtyPages, DirtyRate
from .post_copy import RemainingBytes, RemotePages
from .suspend_resume import Steps

Reaction: TypeAlias = Literal["stop_and_copy", "throttle", "post_copy", "cancel"]
THROTTLED_GAIN = 0.5
"""At full throttle a round must leave at most this part of what the one before it left."""


@dataclass(frozen=True)
class PreCopy(RemotePages):
    """Rounds of copying until the rest fits the downtime target.

    ``V_0 = M``, ``T_i = V_i / B``, ``V_{i+1} = dirtied(T_i)``, done when ``V <= B * T_max`` with
    ``B`` as measured in the last round; the rest is sent while the guest is stopped. With a
    constant rate ``D`` and ``lambda = D / B < 1``: ``V_i = M lambda^i``,
    ``n = ceil(log_lambda(B T_max / M))``. What happens if a cap is hit or rounds cease to shrink
    is declared, so a migration always ends. Where ``max_bandwidth`` is set and the whole memory
    fits the target at that rate, there is no round at all. Caps of 29 rounds and three times the
    memory are Xen's (read in other code); throttling by 20 %, then 10 % more a round up to 99 %,
    and the target of 300 ms are QEMU's (from memory); ``max_stalled_rounds`` is farmsim's.
    """

    FORMER_FIELDS: ClassVar = {
        "first_rate": "first_pass_bandwidth",
        "rate_step": "bandwidth_step",
        "patience": "max_stalled_rounds",
        "reaction": "if_not_converging",
    }

    dirty: DirtyPages = parameter("How the guest dirties its memory.", DirtyRate())
    downtime_target_s: float = parameter(
        "Standstill that the rest of the memory may take.",
        0.3,
        key="downtime_target",
        dimension="time",
        gt=0,
    )
    max_rounds: int = parameter("Most rounds after the first pass.", 29, ge=0)
    max_copied: float = parameter(
        "Most memory sent while the guest runs, x memory, a disk not counted; 0: any.", 3.0, ge=0
    )
    max_stalled_rounds: int = parameter(
        "Rounds in a row that leave no less than the one before until it counts as not "
        "converging; 0: only the caps count.",
        2,
        ge=0,
    )
    if_not_converging: Reaction = parameter("What to do if it does not converge.", "stop_and_copy")
    throttle_first: float = parameter(
        "CPU taken from the guest at first when throttling.", 0.2, dimension="share", gt=0, lt=1
    )
    throttle_step: float = parameter(
        "CPU taken in addition at each further round.", 0.1, dimension="share", gt=0, lt=1
    )
    throttle_max: float = parameter("Most CPU taken.", 0.99, dimension="share", gt=0, lt=1)
    first_pass_bandwidth_mbps: float = parameter(
        "Bandwidth limit of the first pass; 0: that of all.",
        0.0,
        key="first_pass_bandwidth",
        dimension="bandwidth",
        ge=0,
    )
    bandwidth_step_mbps: float = parameter(
        "How much the limit rises each round if the first pass has its own.",
        50.0,
        key="bandwidth_step",
        dimension="bandwidth",
        ge=0,
    )

    def steps(self, guest: Guest) -> MigrationSteps:
        """Yield the steps of the migration; ``reaction`` of its end is what was resorted to."""
        yield from self.prepare(guest)
        size_bytes, scan_s = self.first_pass(guest)
        if self.cap_bytes_s < math.inf and size_bytes <= self.cap_bytes_s * self.downtime_target_s:
            yield from self.stop_and_copy(size_bytes, guest, scan_s)
            return MigrationEnd(moved=True)
        past = yield self.copying("first pass", size_bytes, scan_s, self.round_cap_bytes_s(0))
        rest, reaction, reason = yield from self.rounds(guest, size_bytes, past)
        if reaction == "cancel":
            return MigrationEnd(moved=False, reaction=reaction, reason=reason)
        if reaction == "post_copy":
            yield from self.switch_and_pull(guest, rest)
        else:
            yield from self.stop_and_copy(rest.all_bytes, guest)
        return MigrationEnd(moved=True, reaction=reaction, reason=reason)

    def rounds(
        self, guest: Guest, size_bytes: float, past: Measured
    ) -> Generator[Step, Measured, tuple[RemainingBytes, str, str]]:
        """Copy what was dirtied until it fits; return the rest, the reaction and its reason.

        ``size_bytes`` were sent in the first pass, ``past`` is what was measured of it. Where the
        rounds do not converge, the reaction is what the model says, in the end stop and copy.
        """
        memory_bytes, sent_bytes = size_bytes - self.disk_bytes(guest), size_bytes
        rest = self.left_over(guest, past)
        rounds = stalled = 0
        throttle, reaction, reason = 0.0, "", ""
        while rest.all_bytes > _fitting_bytes(sent_bytes, past, self.downtime_target_s):
            trouble = self._trouble(guest, rounds, memory_bytes, stalled)
            if trouble or throttle:
                reason = reason or trouble
                reaction = self.if_not_converging
                if reaction != "throttle":
                    return rest, reaction, reason
                if throttle >= self.throttle_max and rest.all_bytes > THROTTLED_GAIN * sent_bytes:
                    return rest, "stop_and_copy", reason
                throttle = self._more(throttle)
            rounds += 1
            past = yield self.copying(
                "round",
                rest.all_bytes,
                cap_bytes_s=self.round_cap_bytes_s(rounds),
                throttle=throttle,
                is_round=True,
            )
            memory_bytes, sent_bytes = memory_bytes + rest.pages_bytes, rest.all_bytes
            rest = self.left_over(guest, past)
            stalled = stalled + 1 if rest.all_bytes >= sent_bytes else 0
        return rest, reaction, reason

    def stop_and_copy(self, rest_bytes: float, guest: Guest, scan_s: float = 0.0) -> Steps:
        """Send the rest while the guest is stopped, and let it go on at the target.

        ``scan_s`` is how long it takes to find the pages that are not zero.
        """
        yield from self.drain()
        yield self.copying_stopped("stop and copy", rest_bytes, scan_s)
        yield from self.arrive(guest)
        yield from self.finish()

    def round_cap_bytes_s(self, number: int) -> float:
        """Return the most bytes/s of a round, rising from round to round if told so."""
        if not self.first_pass_bandwidth_mbps:
            return self.cap_bytes_s
        rate_mbps = self.first_pass_bandwidth_mbps + number * self.bandwidth_step_mbps
        return min(rate_mbps * BYTES_PER_MEGABIT, self.cap_bytes_s)

    def left_over(self, guest: Guest, past: Measured) -> RemainingBytes:
        """Return what a step leaves to send."""
        return self.remaining_after(self.dirty.dirtied_bytes(guest.memory_bytes, past), guest, past)

    def _trouble(self, guest: Guest, rounds: int, copied_bytes: float, stalled: int) -> str:
        """Return why it does not converge; ``copied_bytes`` are of memory, without any disk."""
        if rounds >= self.max_rounds:
            return f"{rounds} rounds"
        if self.max_copied and copied_bytes >= self.max_copied * guest.memory_bytes:
            return f"{copied_bytes / guest.memory_bytes:.1f} x memory sent"
        if self.max_stalled_rounds and stalled >= self.max_stalled_rounds:
            return f"{stalled} rounds in a row left no less"
        return ""

    def _more(self, throttle: float) -> float:
        """Return how much of its CPU the guest loses in the next round."""
        more = throttle + self.throttle_step if throttle else self.throttle_first
        return min(more, self.throttle_max)


def _fitting_bytes(sent_bytes: float, past: Measured, target_s: float) -> float:
    """Return what a standstill of the target's length can send at the last round's speed."""
    if past.transfer_s <= 0:
        return math.inf
    return math.floor(sent_bytes / past.transfer_s * target_s)

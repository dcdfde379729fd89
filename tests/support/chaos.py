"""Policies and migrations at random, and a look at the farm after every verb."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from farmsim.models.base.arrays import Ints
from farmsim.models.farm.farm import Farm
from farmsim.models.migration.fixed_rate import Phases
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search
from farmsim.policies.interface.view import FarmView

REASON = Reason("chaos", 0.0, 0.0)


@dataclass(frozen=True)
class Chaos:
    """Moves any VM anywhere and puts any host to sleep, possible or not."""

    seed: int
    powers_down: bool = True
    samples = 1

    def decide(self, view: FarmView) -> Plan:
        rng = np.random.default_rng([self.seed, int(view.now_s)])
        count = len(view.vms)
        vms = rng.choice(count, size=rng.integers(0, count + 1), replace=False)
        proposals = [
            Proposal(int(vm), int(view.vms.host[vm]), int(target), REASON, Search())
            for vm, target in zip(vms, rng.integers(-1, len(view.hosts), len(vms)), strict=True)
        ]
        sleeps = np.flatnonzero(rng.random(len(view.hosts)) < 0.5).tolist()
        return Plan(proposals, sleeps, "chaos")


@dataclass(frozen=True)
class Rounds:
    """A migration in several rounds of different lengths, the last with the guest standing."""

    seed: int

    def schedule(self, farm: Farm, vms: Ints, targets: Ints) -> Phases:
        del targets
        rng = np.random.default_rng([self.seed, len(vms)])
        shape = (len(vms), 3)
        guest = rng.random(shape)
        guest[:, -1] = 0.0
        return Phases(
            duration_s=rng.choice([0.0, 5.0, 90.0, 400.0], shape),
            guest_share=guest,
            target_share=rng.random(shape),
            copied_mib=farm.vms.memory_mib[vms],
        )


VERBS = (
    "place", "begin_migration", "commit_migration", "commit_migration_of_one", "abort_migration",
    "begin_start", "retire", "crash",
)  # fmt: skip


def watch(farm: Farm, check: Callable[[], None]) -> None:
    """Call a checker after every verb that changes where VMs are."""

    def checked(verb: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            answer = verb(*given, **named)
            check()
            return answer

        return run

    for name in VERBS:
        setattr(farm, name, checked(getattr(farm, name)))

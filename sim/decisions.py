"""When the control policy decides: in rounds, and between them where it asks for that."""

from collections.abc import Callable, Sequence

import simpy

from ..models.state.utilisation_history import Ring
from ..policies.control.control import EventDrivenPolicy, due_s, respond, rests
from ..policies.interface.view import FarmView
from .actuator import Actuator
from .base.clock import LAST, Clock
from .base.signals import Signals
from .hosts.reserve_keeper import ReserveKeeper
from .lifecycle.lifecycle import Lifecycle
from .repeated_plans import RepeatedPlans
from .setup import EngineSetup


class Decisions:
    """Asks the control policy for plans and has them carried out.

    ``rounds`` counts the rounds so far. Raises PlanError where a plan can never be right.
    """

    def __init__(
        self,
        clock: Clock,
        view: FarmView,
        setup: EngineSetup,
        actuator: Actuator,
        lifecycle: Lifecycle,
        reserve_keeper: ReserveKeeper | None,
        histories: Sequence[Ring],
    ) -> None:
        self.rounds = 0
        self._clock, self._view, self._actuator = clock, view, actuator
        self._control, self._name, self._power = setup.control, setup.control_name, setup.power
        self._lifecycle, self._reserve_keeper = lifecycle, reserve_keeper
        self._plans = RepeatedPlans(setup, view, histories)

    def rests(self) -> bool:
        """Whether rounds change nothing until something else than demand does."""
        return not self._power.limits and rests(self._control, self._view)

    def decide(self) -> None:
        """Let the policy decide in a round, within the limits of power management.

        Demand, histories and scaling of the instant are up to date; migrations that end at it have
        ended. VMs that wait are tried after it.
        """
        self.rounds += 1
        view, power = self._view, self._power
        plan = self._plans.decide()
        self._actuator.carry_out(plan, self._name, lambda plan: power.within_limits(view, plan))

    def listen(self, signals: Signals) -> None:
        """Let a policy that decides between rounds hear of all that changes from now on.

        Does nothing for a policy that is not an :class:`.EventDrivenPolicy`. To be called once all
        VMs are placed, before the clock starts.
        """
        control, maintenance = self._control, self._actuator.maintenance
        if not isinstance(control, EventDrivenPolicy):
            return

        def due() -> float:
            maintenance.look()
            return due_s(control, self._view)

        note = _EventDriven(self._clock, due, self._respond).note_change
        signals.running_changed.listen(lambda _: note())
        for signal in (signals.space_freed, signals.hosts_changed, signals.demand_changed):
            signal.listen(note)
        note()

    def _respond(self) -> None:
        """Let the policy decide between rounds; who waits may find room by that."""
        plan = respond(self._control, self._view)
        self._actuator.carry_out(plan, self._name, again=True)
        self._lifecycle.retry_waiting()
        if self._reserve_keeper is not None:
            self._reserve_keeper.look()


class _EventDriven:
    """Asks a policy for decisions whenever something changes, and at times it requests.

    ``due_s`` says when the policy wants to decide, given what the farm is now; ``decide`` lets it.
    Both are called once all else of an instant has happened, its beats included, and again if the
    decision itself has changed something.
    """

    def __init__(
        self, clock: Clock, due_s: Callable[[], float], decide: Callable[[], None]
    ) -> None:
        self._clock, self._due_s, self._decide = clock, due_s, decide
        self._set_s: set[float] = set()

    def note_change(self) -> None:
        """Note that VMs or hosts have changed at this instant."""
        self._wait_until(self._clock.now)

    def _wait_until(self, instant_s: float) -> None:
        if instant_s in self._set_s:
            return
        self._set_s.add(instant_s)
        event = self._clock.at(instant_s, LAST)
        assert event.callbacks is not None
        event.callbacks.append(self._look)

    def _look(self, event: simpy.Event) -> None:
        del event
        now_s = self._clock.now
        self._set_s.discard(now_s)
        if self._due_s() <= now_s:
            self._decide()
        due_s = self._due_s()
        if now_s < due_s < float("inf"):
            self._wait_until(due_s)

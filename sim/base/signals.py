"""What is announced while a farm runs, and who hears of it.

Made before all who announce and all who listen, so that none of them has to be given to another
one afterwards. The engine says in one place who listens to what.
"""

from collections.abc import Callable
from typing import Generic, ParamSpec

from ...models.base.arrays import Ints

P = ParamSpec("P")


class Signal(Generic[P]):
    """Calls all listeners at once, in the order in which they began to listen.

    Listeners may announce other signals and change the farm; an exception ends the announcement.
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[P, None]] = []

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def listen(self, listener: Callable[P, None]) -> None:
        """Let a listener be called from now on."""
        self._listeners.append(listener)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Announce it."""
        for listener in self._listeners:
            listener(*args, **kwargs)


class Signals:
    """The announcements of one run; all columns of the farm are settled when one is made.

    The attributes below are all that is announced; none is delayed or queued.
    """

    def __init__(self) -> None:
        self.running_changed: Signal[[Ints]] = Signal()
        """VMs have begun or ceased to run: which."""
        self.placement_changed: Signal[[]] = Signal()
        """VMs have got a host or have left one, or hosts have failed."""
        self.hosts_changed: Signal[[]] = Signal()
        """Hosts have been switched, closed or opened, or have failed."""
        self.demand_changed: Signal[[]] = Signal()
        """A step of the demand has begun."""
        self.space_freed: Signal[[]] = Signal()
        """Hosts may have room: a migration has ended, or hosts have failed or come back."""
        self.memory_lost: Signal[[Ints, bool]] = Signal()
        """A failure took a part of the memory of VMs: which, and whether it was their host's."""

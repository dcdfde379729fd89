"""What the actuator needs of the migrations that are under way, however these go."""

from typing import Protocol

from ...models.base.arrays import Bools, Ints


class MigrationRunner(Protocol):
    """Starts migrations, ends them early, and knows whose has not ended.

    A migration that is ended early is undone, or completed where its model says so, before the
    clock moves on. Counts of VMs lost are of those of whose memory a part is gone.

    Implemented by :class:`.fixed_rate.Migrations` and :class:`.over_network.NetworkMigrations`. All
    arguments are rows of VMs, hosts or links. Interrupting is asynchronous: who needs the undone
    state yields to the clock once (a timeout of 0) before changing hosts.
    """

    def start(self, vms: Ints, targets: Ints) -> None:
        """Begin to migrate running VMs: those of higher priority ask for their slots first.

        Memory is reserved at the targets at once. Targets that sleep are woken.

        ``vms`` and ``targets`` have the same length. That each VM runs and fits at its target has
        been checked by the actuator before.
        """
        ...

    def busy(self, vms: Ints) -> Bools:
        """Return which VMs that run are not to migrate, since a migration has not ended.

        The result has the length of ``vms``. VMs in state ``MIGRATING`` are known to the caller;
        this is for guests that run at their target already while pages follow.
        """
        ...

    def interrupt(self, vms: Ints) -> None:
        """End the migrations of some VMs, as far as they have any."""
        ...

    def interrupt_all(self) -> None:
        """End every migration under way."""
        ...

    def fail(self, hosts: Ints) -> int:
        """End the migrations from and to hosts that have failed; return how many VMs are lost.

        Called before the farm takes the VMs off these hosts, which crash anyway.
        """
        ...

    def cut(self, hosts: Ints) -> int:
        """End the migrations of hosts that nobody reaches; return how many VMs are lost."""
        ...

    def cut_links(self, links: Ints) -> int:
        """End the migrations that cross failed links; return how many VMs are lost."""
        ...

    def reroute(self, beyond: Ints) -> None:
        """Look for routes anew as links have failed or come back; none leads to ``beyond``.

        ``beyond`` are all hosts that the network does not reach now, not only those cut off last.
        """
        ...

    def record_unfinished(self) -> None:
        """Record the migrations that the end of the run cuts off."""
        ...

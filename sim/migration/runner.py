"""What the actuator needs of the migrations that are under way, however these go."""

from typing import Protocol

from ...models.base.arrays import Bools, Ints


class MigrationRunner(Protocol):
    """Starts migrations, ends them early, and knows whose has not ended.

    A migration that is ended early is undone, or completed where its model says so, before the
    clock moves on. Counts of VMs lost are of those of whose memory a part is gone.
    """

    def start(self, vms: Ints, targets: Ints) -> None:
        """Begin to migrate running VMs: those of higher priority ask for their slots first.

        Memory is reserved at the targets at once. Targets that sleep are woken.
        """
        ...

    def busy(self, vms: Ints) -> Bools:
        """Return which VMs that run are not to migrate, since a migration has not ended."""
        ...

    def interrupt(self, vms: Ints) -> None:
        """End the migrations of some VMs, as far as they have any."""
        ...

    def interrupt_all(self) -> None:
        """End every migration under way."""
        ...

    def fail(self, hosts: Ints) -> int:
        """End the migrations from and to hosts that have failed; return how many VMs are lost."""
        ...

    def cut(self, hosts: Ints) -> int:
        """End the migrations of hosts that nobody reaches; return how many VMs are lost."""
        ...

    def cut_links(self, links: Ints) -> int:
        """End the migrations that cross failed links; return how many VMs are lost."""
        ...

    def reroute(self, beyond: Ints) -> None:
        """Look for routes anew as links have failed or come back; none leads to ``beyond``."""
        ...

    def record_unfinished(self) -> None:
        """Record the migrations that the end of the run cuts off."""
        ...

"""What a VM selection policy is."""

from typing import Protocol

from ...models.base.arrays import Ints
from ..interface.view import FarmView


class Selection(Protocol):
    """Selects the next VM that leaves an overloaded host.

    The shipped ones are those of Beloglazov and Buyya (Concurrency and Computation: Practice and
    Experience 24, 2012).
    """

    @property
    def samples(self) -> int:
        """Number of past samples wanted, the present one included."""
        ...

    def pick(self, view: FarmView, vms: Ints) -> int:
        """Return the position in ``vms``, all on one host, of the VM to migrate.

        ``vms``, (n,), are rows, ascending, n at least 1; none of them is migrating. Asked again
        without the VM picked until the host is no longer overloaded.
        """
        ...

"""Random choice."""

from ...models.base.arrays import Ints
from ...models.base.lazy_dataclass import dataclass
from ..interface.view import FarmView


@dataclass(frozen=True)
class RandomChoice:
    """Select a VM of the host at random (RS)."""

    samples = 1

    def pick(self, view: FarmView, vms: Ints) -> int:
        """Return a position drawn at random."""
        return int(view.draw("selection.random").integers(len(vms)))

"""What a drain policy is, and the one that drains nothing."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...models.base.arrays import Ints
from ..interface.view import FarmView


class Drain(Protocol):
    """Says which hosts to empty, so that they can be switched off."""

    @property
    def receivers(self) -> bool:
        """Whether a host that was given VMs in the same round may be emptied."""
        ...

    @property
    def spare_idle(self) -> bool:
        """Whether hosts whose VMs are all idle are neither emptied nor filled."""
        ...

    @property
    def below(self) -> float:
        """Utilisation under which a host may be emptied."""
        ...

    def order(self, view: FarmView, overloaded: Ints) -> Ints:
        """Return the hosts to try, in order."""
        ...


@dataclass(frozen=True)
class NoDrain:
    """No host is emptied on purpose."""

    receivers = False
    spare_idle = False
    below = 0.0

    def order(self, view: FarmView, overloaded: Ints) -> Ints:
        """Return no host."""
        del view, overloaded
        return np.empty(0, np.int64)

"""Which hosts are emptied, so that they can sleep: none, or the least utilised."""

from typing import ClassVar, Protocol

import numpy as np

from ...models.base.arrays import Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from ...models.base.ties import TIE, ascending
from ..interface.view import FarmView


class Drain(Protocol):
    """Selects the hosts to empty so that they can be switched off."""

    @property
    def drain_receivers(self) -> bool:
        """Whether a host that was given VMs in the same round may be emptied."""
        ...

    @property
    def skip_idle_hosts(self) -> bool:
        """Whether hosts whose VMs are all idle are neither emptied nor filled."""
        ...

    @property
    def below(self) -> float:
        """Utilisation under which a host may be emptied.

        A share of the host's CPU, 0 to 1.
        """
        ...

    def order(self, view: FarmView, overloaded: Ints) -> Ints:
        """Return the hosts to try, in order.

        ``overloaded`` and the result are rows of hosts, the first to be emptied first, each once. A
        host all of whose VMs do not fit elsewhere is left as it is.
        """
        ...


@dataclass(frozen=True)
class NoDrain:
    """Never empty a host."""

    repeatable: ClassVar[bool] = True

    drain_receivers = False
    skip_idle_hosts = False
    below = 0.0

    def order(self, view: FarmView, overloaded: Ints) -> Ints:
        """Return no host."""
        del view, overloaded
        return np.empty(0, np.int64)


@dataclass(frozen=True)
class LeastUtilised:
    """Empty hosts one by one, the least utilised first, if all their VMs fit elsewhere.

    Beloglazov and Buyya (2012), section 5.2. Their program also empties hosts that it has just
    filled (``drain_receivers``) and takes a host whose VMs all ask for nothing for one that is off
    (``skip_idle_hosts``).
    """

    repeatable: ClassVar[bool] = True

    FORMER_FIELDS: ClassVar = {"receivers": "drain_receivers", "spare_idle": "skip_idle_hosts"}

    below: float = parameter(
        "Only hosts with lower utilisation are emptied; 100 % is the published rule.",
        0.5,
        dimension="share",
        gt=0,
        le=1,
    )
    drain_receivers: bool = parameter(
        "Also empty hosts that received VMs in the same round.", False
    )
    skip_idle_hosts: bool = parameter("Neither empty nor fill hosts whose VMs are all idle.", False)

    def order(self, view: FarmView, overloaded: Ints) -> Ints:
        """Return the hosts that may be emptied, least utilised first, ties by row."""
        utilisation = view.hosts.utilisation
        wanted = view.awake() & (view.hosts.vm_count > 0) & (utilisation < self.below - TIE)
        wanted[overloaded] = False
        if self.skip_idle_hosts:
            wanted &= utilisation > 0
        hosts = np.flatnonzero(wanted)
        return hosts[ascending(utilisation[hosts])]

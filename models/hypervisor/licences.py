"""Cost of hypervisor licences by core, socket or VM, with minimum quantities.

Licensed cores of a host are ``max(cores, per socket x sockets, per host)``, the vendor's minima
counted in. A minimum order holds for all hosts under one contract with a vendor, whatever profile
they run: what they fall short of it is paid for too, by each group in the proportion of its cores.
"""

from collections.abc import Sequence

import numpy as np

from ..base.arrays import Floats
from ..base.lazy_dataclass import dataclass
from ..hardware.server import Server
from .profiles import Licence


@dataclass(frozen=True)
class HostLicence:
    """Licence of a group of hosts, in the scenario's currency per year.

    ``cores`` are the licensed cores of a host; ``order`` names the contract that a minimum order
    of ``min_cores`` is over, ``order_note`` where and since when it holds, ``order_regional``
    whether that is in some regions only. ``foreign`` is the currency of a list price that is not
    known in the scenario's, empty where there is none;
    ``listed`` says whether the price is the catalogue's.
    """

    per_host: float = 0.0
    per_vm: float = 0.0
    cores: float = 0.0
    order: str = ""
    min_cores: float = 0.0
    order_note: str = ""
    order_regional: bool = False
    foreign: str = ""
    listed: bool = True

    @property
    def known(self) -> bool:
        """Whether the price is known in the scenario's currency."""
        return not self.foreign


def list_price(
    licence: Licence[float], server: Server, order: str, currency: str, region: str | None = None
) -> HostLicence:
    """Return the catalogue's licence for a server, with a price if the currency matches.

    ``order`` names the contract of a licence that names none; ``region`` is where it is signed,
    None where that is not known: a minimum order then counts, as the dearer reading.
    """
    if licence.metric == "none":
        return HostLicence()
    # A price of 0 is 0 in every currency.
    free = licence.price_per_year == 0
    foreign = "" if free or licence.currency == currency else licence.currency
    price = 0.0 if foreign else licence.price_per_year
    if licence.metric == "per_vm":
        return HostLicence(per_vm=price, foreign=foreign)
    if licence.metric == "per_socket":
        return HostLicence(per_host=price * server.sockets, foreign=foreign)
    cores = licensed_cores(licence, server)
    return HostLicence(
        per_host=price * cores,
        cores=cores,
        order=licence.contract or order,
        min_cores=licence.minimum_order_in(region),
        order_note=licence.minimum_order_note,
        order_regional=bool(licence.minimum_order_regions),
        foreign=foreign,
    )


def licensed_cores(licence: Licence[float], server: Server) -> float:
    """Return how many cores of a server must be licensed; 0 if the price is not per core."""
    if licence.metric != "per_core":
        return 0.0
    least = max(licence.minimum_cores_per_socket * server.sockets, licence.minimum_cores_per_host)
    return max(server.cores, least)


def order_factors(licences: Sequence[HostLicence], hosts: Sequence[int]) -> Floats:
    """Return per group by which factor a minimum order raises its cores, at least 1."""
    ordered: dict[str, float] = {}
    for licence, count in zip(licences, hosts, strict=True):
        ordered[licence.order] = ordered.get(licence.order, 0.0) + count * licence.cores
    factors = [
        max(1.0, licence.min_cores / ordered[licence.order]) if ordered[licence.order] else 1.0
        for licence in licences
    ]
    return np.array(factors)


def costs_per_year(
    licences: Sequence[HostLicence], hosts: Sequence[int], mean_vms: Floats
) -> Floats:
    """Return the licence cost per year of each group, given hosts paid for and mean VMs."""
    per_host = np.array([licence.per_host for licence in licences])
    per_vm = np.array([licence.per_vm for licence in licences])
    hosts_counted = np.array(hosts, np.float64) * order_factors(licences, hosts)
    costs: Floats = hosts_counted * per_host + mean_vms * per_vm
    return costs

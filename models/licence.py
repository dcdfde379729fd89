"""What licences of hypervisors cost: by core, socket or VM, with the least that is counted.

Licensed cores of a host are ``max(cores, per socket x sockets, per host)``, the vendor's minima
counted in. A minimum order holds for all hosts under one licence: what they fall short of it
is paid for too, by each group in the proportion of its cores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import Floats
from .hypervisor import Licence
from .server import Server


@dataclass(frozen=True)
class HostLicence:
    """Licence of the hosts of a group, in the scenario's currency a year.

    ``cores`` are the licensed cores of a host; ``order`` names the licence that a minimum order
    of ``least_cores`` is over. ``foreign`` is the currency of a list price that could not be
    counted, empty where there is none; ``listed`` says whether the price is the catalogue's.
    """

    per_host: float = 0.0
    per_vm: float = 0.0
    cores: float = 0.0
    order: str = ""
    least_cores: float = 0.0
    foreign: str = ""
    listed: bool = True


def list_price(licence: Licence[float], server: Server, order: str, currency: str) -> HostLicence:
    """Return the catalogue's licence for a server; ``order`` names it, ``currency`` is counted."""
    if licence.metric == "none":
        return HostLicence()
    if licence.currency != currency:
        return HostLicence(foreign=licence.currency)
    price = licence.price_per_year
    if licence.metric == "per_vm":
        return HostLicence(per_vm=price)
    if licence.metric == "per_socket":
        return HostLicence(per_host=price * server.sockets)
    least = max(licence.minimum_cores_per_socket * server.sockets, licence.minimum_cores_per_host)
    cores = max(server.cores, least)
    return HostLicence(
        per_host=price * cores, cores=cores, order=order, least_cores=licence.minimum_order_cores
    )


def costs_per_year(
    licences: Sequence[HostLicence], hosts: Sequence[int], mean_vms: Floats
) -> Floats:
    """Return what each group's licences cost a year, given hosts paid for and mean VMs."""
    ordered: dict[str, float] = {}
    for licence, count in zip(licences, hosts, strict=True):
        ordered[licence.order] = ordered.get(licence.order, 0.0) + count * licence.cores
    costs = []
    for licence, count, vms in zip(licences, hosts, mean_vms.tolist(), strict=True):
        bought = ordered[licence.order]
        beyond = max(1.0, licence.least_cores / bought) if bought else 1.0
        costs.append(count * licence.per_host * beyond + vms * licence.per_vm)
    return np.array(costs)

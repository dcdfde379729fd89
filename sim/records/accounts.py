"""Accounts of a run in addition to those of the farm."""

from ...models.accounts.sets_over_time import ClusterUse
from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from .bounds import BoundsRecord
from .ledgers import ServiceLedger, TenantLedger
from .microscope import Microscope
from .rack_power import RackPowerRecord


@dataclass(frozen=True)
class Accounts:
    """Accounts kept during a run and returned in its outcome.

    ``bounds`` holds the farm against its theoretical minimum, step by step. ``service`` has
    response times where VMs have request classes, ``tenants`` energy and neighbours where tenants
    are named, ``microscope`` single requests of chosen VMs, ``clusters`` the use of CPU
    over time of each cluster, ``racks`` their power; each is None where there is nothing to account
    for. All belong to one farm and one run. They are settled when that ends.

    A ledger registers itself with the farm as it is made, so make these before the engine and after
    the farm.
    """

    bounds: BoundsRecord
    service: ServiceLedger | None = None
    tenants: TenantLedger | None = None
    microscope: Microscope | None = None
    clusters: ClusterUse | None = None
    racks: RackPowerRecord | None = None

    @classmethod
    def least(cls, farm: Farm) -> "Accounts":
        """Return the accounts that every run has."""
        return cls(BoundsRecord(farm))

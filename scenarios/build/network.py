"""Build the migration network and its limits."""

from ...models.migration.model_table import MigrationModels
from ...models.network.transport import TRANSPORTS, Transport
from ...models.state.columns import Hosts
from ...sim.migration.concurrency import ConcurrencyLimits
from ...sim.migration.over_network import NetworkSetup
from ..errors.problems import refuse
from ..resolve.network import network_of
from ..spec.network import MIGRATIONS_PER_HOST
from ..spec.spec import Spec


def network_setup(spec: Spec, hosts: Hosts, models: MigrationModels) -> NetworkSetup | None:
    """Return links, transport and limits where a migration model uses a network, else None.

    Raises InputError if the layout does not hold the hosts.

    ``hosts`` gives names and groups in the order of the farm. Background traffic is the same share
    of every link. The error points to ``network.layout``.
    """
    if not models.uses_network:
        return None
    part = spec.network
    try:
        groups = [hosts.group_names[group] for group in hosts.group.tolist()]
        per_rack = spec.farm.hosts_per_rack
        network = network_of(part.topology, list(hosts.names), groups, per_rack)
    except ValueError as error:
        raise refuse(spec.name, str(error), "network.layout") from None
    network.background[:] = part.background
    given = part.transport
    transport = given if isinstance(given, Transport) else TRANSPORTS[given]
    per_host = part.max_migrations_per_host or MIGRATIONS_PER_HOST
    limits = ConcurrencyLimits(
        per_host, part.max_migrations, part.max_migrations_per_link, part.migration_order
    )
    return NetworkSetup(network, transport, limits)

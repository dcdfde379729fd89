"""All topics of a run, in the order of their sections in the report.

A metric is defined in ``models/base/metric_definitions.py``; the topic's file says how it is
measured and where it stands. Metrics, tables, figures, the report and the reference loop over this.

The order of ``TOPICS`` is that in which metrics are measured and sections stand in the report. A
topic is given the run, not the values of the others: what takes several is in
``measure/metrics.py``.
"""

from ..base.topic import Topic
from .availability import AVAILABILITY
from .costs import COSTS
from .elasticity.metrics import ELASTICITY
from .farm.bounds import BOUNDS
from .farm.clusters import CLUSTERS
from .farm.energy import ENERGY
from .farm.hosts import HOSTS
from .farm.power_states import POWER_STATES_TOPIC
from .farm.racks import RACKS
from .farm.series import FARM_SERIES
from .farm.utilisation import UTILISATION
from .hypervisors import OVERHEAD, RESPONSE
from .lifecycle.metrics import LIFECYCLE
from .migration.metrics import MIGRATIONS, NETWORK
from .reserve import RESERVE
from .rules import RULES
from .service import SERVICE
from .tenants import TENANTS
from .vms import VMS

TOPICS: tuple[Topic, ...] = (
    HOSTS,
    BOUNDS,
    UTILISATION,
    CLUSTERS,
    RACKS,
    ENERGY,
    OVERHEAD,
    RESPONSE,
    TENANTS,
    RULES,
    RESERVE,
    POWER_STATES_TOPIC,
    COSTS,
    SERVICE,
    NETWORK,
    ELASTICITY,
    LIFECYCLE,
    AVAILABILITY,
    MIGRATIONS,
    VMS,
    FARM_SERIES,
)

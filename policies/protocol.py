"""All that a policy of one's own reads, returns and is checked for: import what you need from here.

    from farmsim.policies.protocol import FarmView, Plan

A policy is a plain function, or a frozen dataclass with a method of that name if it has
parameters (:func:`parameter`). It reads read-only columns and returns decisions; the engine
carries them out, and records impossible ones as refused. Rows are integers from 0:
hosts in the order of the farm, VMs in the order of the workload.


Kinds
-----
Methods, and additional attributes of a class. A function has the defaults, or its own
attributes (``my_detector.samples = 24``).

============  =====================================  ===========================================
kind          method                                 attributes (default of a function)
============  =====================================  ===========================================
placement     place(candidates, vms)                 none
overload      judge(history_mhz, capacity_mhz)       samples (12), history ("vms"), linear(depth)
selection     pick(view, vms)                        samples (12)
drain         order(view, overloaded)                drain_receivers, skip_idle_hosts (False),
                                                     below (1)
control       decide(view)                           samples (12), powers_down (False)
scaling       decide(view)                           none
forecast      forecast(history, step_s, steps)       reach_s (3600)
migration     steps(guest)                           none
============  =====================================  ===========================================

What a class may have beside that: a control policy ``migrates_vms = False`` where it moves nothing,
``wakes = True`` where hosts that it puts to sleep later are woken for VMs, ``due_s(view)`` and
``respond(view)`` to decide between rounds; a detector ``fewest`` samples of a VM's own life,
``fallback``, the share of CPU that younger VMs may ask for, and ``measure`` and ``above_for_s`` of
:class:`OverloadDetectorFields`; a placement ``repeatable = False`` where it draws or counts, and
``capacity_index(free_mhz, free_mib, tie_mhz)`` for quick arrivals; a scaling policy
``resizes_running(size, other)`` where members change their size while they run. A control policy or
a part of one that looks at columns and histories only, and not at ``now_s``, ``vm_s``, ``draw`` or
``state``, may say ``repeatable = True`` in its own class: then rounds in which nothing has changed
take the last plan.

place     a host row per VM, -1 if it fits on none, or ``Placed(rows, searches)``; it places each
          VM with ``candidates.take(vm, position)``
judge     two arrays, value and limit per host, in shares of its CPU: overloaded if the value
          is higher; ``history_mhz`` has shape (hosts, samples), oldest first; ``linear`` returns
          None, or weights and limit of a test that is a weighted sum
pick      the position in ``vms`` of the VM that leaves
order     rows of the hosts to empty, in order, each once
decide    of a control policy: a :class:`Plan`; of a scaling policy: a number of members, or
          ``Wanted(members, rule, measured, limit, size)``
forecast  numbers of shape (steps, series), for a history of shape (samples, series)
steps     a generator: it yields a :class:`Step` each, is sent a :class:`Measured`, and returns a
          :class:`MigrationEnd`


Columns of ``view.hosts``
-------------------------
cpu_mhz          (hosts)   float64  MHz     maximum CPU for guests
core_mhz         (hosts)   float64  MHz     clock of one core
base_mhz         (hosts)   float64  MHz     CPU used by the hypervisor
demand_mhz       (hosts)   float64  MHz     current CPU demand of guests, copies and the hypervisor
delivered_mhz    (hosts)   float64  MHz     CPU delivered now
committed_mhz    (hosts)   float64  MHz     sum of the sizes of the VMs on it
utilisation      (hosts)   float64  share   CPU delivered over CPU, 0 to 1
memory_mib       (hosts)   float64  MiB     maximum memory for VMs
plan_mhz         (hosts)   float64  MHz     CPU that placement fills at most: the ceiling
plan_mib         (hosts)   float64  MiB     memory that placement fills at most: the ceiling
memory_used_mib  (hosts)   float64  MiB     memory of VMs on it and of VMs migrating to it
vm_count         (hosts)   int64    VMs     VMs on it
incoming         (hosts)   int64    VMs     VMs migrating to it
state            (hosts)   int8     state   power state, a number of :class:`PowerState`
reachable        (hosts)   bool     yes/no  reachable over the network
in_service       (hosts)   bool     yes/no  not in maintenance
boots            (hosts)   int64    times   number of boots
stops            (hosts)   int64    times   number of power-downs
booted_s         (hosts)   float64  s       when its last boot ended; -inf: never
vm_s             (hosts)   float64  VM s    integral of ``vm_count`` over time
group            (hosts)   int64    row     host group
rack             (hosts)   int64    row     rack, a position in ``rack_names``
rack_names       sequence  str      name    names of the racks
cluster          (hosts)   int64    number  cluster, in the order of the scenario; -1: none
names            (hosts)   str      name    names of the hosts
power            bank      object   W       power curves: ``power.of_load(rows, cpu_mhz)``
state_w          method    float64  W       power of hosts (rows) that sleep or switch; 0 for others
changed          method    object   none    a copy with some columns replaced


Columns of ``view.vms``
-----------------------
host             (VMs)     int64    row     host; -1: none
moving_to        (VMs)     int64    row     target of its migration; -1: none
state            (VMs)     int8     state   life cycle state, a number of :class:`VmState`
running          (VMs)     bool     yes/no  runs, migrating or not
demand_mhz       (VMs)     float64  MHz     current CPU demand as seen by the guest
load_mhz         (VMs)     float64  MHz     physical CPU for it on its host
size_mhz         (VMs)     float64  MHz     CPU of its size: vCPUs times clock
vcpus            (VMs)     int64    vCPUs   vCPUs
memory_mib       (VMs)     float64  MiB     its own memory
footprint_mib    (VMs)     float64  MiB     maximum memory that it takes on any host
size             (VMs)     int64    row     size, in the order of the scenario
priority         (VMs)     int64    rank    priority, highest first
names            (VMs)     str      name    names of the VMs
changed          method    object   none    a copy with some columns replaced


Members of ``view``
-------------------
hosts            columns   object   none    see above
vms              columns   object   none    see above
now_s            number    float    s       simulated time
state            method    object   none    ``state(self, make)``: what a policy keeps, see below
states           states    object   none    the same of all policies
draw             method    object   none    named random generator: ``draw("mine").random()``
note             method    none     times   count an event for the summary
noted            dict      int      times   events counted so far
vms_on           method    int64    rows    VMs on some hosts (rows), ascending
held_mib         method    float    MiB     memory that a VM takes on its host
awake            method    bool     yes/no  (hosts): on or booting, reachable, in service
sleeping         method    bool     yes/no  (hosts): off, and can be woken
expected_mhz     method    float64  MHz     (hosts): demand after all ongoing migrations
use_mhz          method    float64  MHz     (VMs): CPU delivered to each
vm_history_mhz   method    float64  MHz     (samples, VMs): newest samples of load, oldest first
vm_use_history_mhz  method  float64  MHz    the same for CPU delivered, if a detector needs it
host_history_mhz  method   float64  MHz     (samples, hosts): newest samples of demand
vm_samples       (VMs)     int64    samples  number of samples in the VM's current lifetime
slow_cores       flag      bool     yes/no  VMs may be placed on cores slower than requested
allowed          (sizes, groups)  bool  yes/no  sizes allowed on a group; None: all
one_guest        (hosts)   bool     yes/no  limited to one VM; None: no host
movable          (sizes, groups, groups)  bool  yes/no  possible migrations; None: all
destinations     method    object   none    rows of VMs, and the groups allowed for each
rules            rules     object   none    placement rules; None: no rules
affinity_group   method    int64    rows    VMs that must be with a VM, including itself
kinds_of_vms     method    int64    kind    (VMs): equal for VMs of a size with the same rules
kinds_of_hosts   method    int64    kind    (hosts): equal for hosts that are identical when empty
reserve          reserve   object   none    reserved capacity; None: no reserve
lenient          flag      bool     yes/no  the reserve may be used if no host fits otherwise
rack_limit_w     (racks)   float64  W       power limits of racks; None: no limits
reserve_book     method    object   none    allocations as a tentative book; None: no reserve
permits          method    object   none    hosts allowed for VMs without a host

What changes between rounds is kept in ``view.state(self, make)``: the first call of a run makes
it (``make()``), each later call returns the same object. Each policy object has its own, two of a
kind too; a plain function names itself: ``view.state(my_policy, dict)``. Numbers, arrays, lists and
dictionaries can be kept, and what :func:`copy.deepcopy` can copy: a placement is also asked on
paper, in the failover test and for the reserve, with a copy of what it keeps.


Columns of ``candidates`` in a placement
----------------------------------------
One entry per candidate host, except where VMs are stated. ``vms`` are rows of VMs, a *position* is
an index of these columns; ``candidates.hosts[position]`` is the host's row.

hosts            (candidates)  int64    row     rows of the candidates, ascending
capacity_mhz     (candidates)  float64  MHz     CPU up to which they may be filled
load_mhz         (candidates)  float64  MHz     CPU allocated
free_mhz         (candidates)  float64  MHz     free CPU
cpu_mhz          (candidates)  float64  MHz     CPU of the host
memory_mib       (candidates)  float64  MiB     memory of the host
memory_free_mib  (candidates)  float64  MiB     free memory
utilisation      (candidates)  float64  share   last measured value
sleeping         (candidates)  bool     yes/no  sleeps, and is woken if chosen
off_w            (candidates)  float64  W       power while it sleeps; 0 if it is on
need_mhz         (VMs)         float64  MHz     CPU that counts for each VM
tie_mhz          number        float    MHz     tolerance for ties in MHz
tie_w            number        float    W       tolerance for ties in W

``full(vms)`` returns which do not fit: bool, (VMs, candidates). ``fits(vm, position)`` tests
one; ``take(vm, position)`` places it; ``mark()`` and ``undo_to(mark)`` undo. ``view`` is the view.
Most placements are one call of :func:`place_each` with a cost for each VM and candidate.


Methods of a :class:`Plan`
--------------------------
plan.move(vm, target, reason)     migrate a VM; a sleeping target is woken; -1: none found
plan.sleep(host, reason)          power down a host after the last VM has left it
plan.wake(host, reason)           wake a host
plan.close(host)                  take a host out of service
plan.open(host)                   put it back in service

A reason is a string, or ``Reason(rule, measured, limit)`` if a value exceeded a limit. It is
recorded in the table ``decisions`` and in a VM's history. ``search=Search(…)`` records how a target
was chosen. A scaling policy decides the number and size of an application's members.


Checks
------
On import: the module runs without an error; the name exists; a class is a frozen dataclass.
When the scenario is read: parameters exist and are within bounds; methods exist and accept the
arguments; attributes have the right type. At each call: the answer has the right type, shape and
numbers, rows exist, a host is named once, no candidate is filled beyond its memory; inputs
are read-only. When a plan is carried out: a VM is migrated once, from its host; what has become
impossible meanwhile (the host is full, the VM is migrating) is recorded with its reason.

Errors end the run with exit code 2 (in Python: ``farmsim.PolicyError``) and name the policy, the
time, what is wrong and what would be right, with the traceback of the policy's own lines. Output of
a policy goes to standard error. An installed policy that cannot be loaded only causes a warning,
unless a scenario names it.
"""

from ..models.base.arrays import Bools, Floats, Ints
from ..models.base.parameters import parameter
from ..models.migration.course import (
    Guest,
    Measured,
    MigrationEnd,
    MigrationSteps,
    Step,
    play_alone,
)
from ..models.state.columns import PowerState, VmState
from .control.control import ControlPolicy
from .control.drain import Drain
from .interface.plan import Plan, Proposal, Reason, Search
from .interface.view import FarmView, HostView, VmView
from .overload.detector import HistoryOf, OverloadDetector, OverloadDetectorFields, weigh
from .placement.candidates import Candidates
from .placement.capacity import Positions
from .placement.host_costs import Pricing, cpu_tie, power_tie
from .placement.placement import Placed, Placement, place_decreasing, place_each
from .scaling.forecast import Forecaster
from .scaling.scaling import ApplicationView, ScalingPolicy, Wanted
from .selection.selection import Selection

__all__ = [
    "ApplicationView",
    "Bools",
    "Candidates",
    "ControlPolicy",
    "Drain",
    "FarmView",
    "Floats",
    "Forecaster",
    "Guest",
    "HistoryOf",
    "HostView",
    "Ints",
    "Measured",
    "MigrationEnd",
    "MigrationSteps",
    "OverloadDetector",
    "OverloadDetectorFields",
    "Placed",
    "Placement",
    "Plan",
    "Positions",
    "PowerState",
    "Pricing",
    "Proposal",
    "Reason",
    "ScalingPolicy",
    "Search",
    "Selection",
    "Step",
    "VmState",
    "VmView",
    "Wanted",
    "cpu_tie",
    "parameter",
    "place_decreasing",
    "place_each",
    "play_alone",
    "power_tie",
    "weigh",
]

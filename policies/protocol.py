"""Public names for user policies: inputs, outputs and checks.

    from farmsim.policies.protocol import FarmView, Plan

A policy is a plain function, or a frozen dataclass with a method of that name where it has
parameters (:func:`parameter`). It gets read-only columns and returns what it wants; the engine
carries that out, and records as refused what has become impossible. Rows are whole numbers from 0:
hosts in the order of the farm, VMs in the order of the workload.


Kinds
-----
What is called, and the attributes that a class has beside it. A function has the defaults, or
attributes of its own (``my_detector.samples = 24``).

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
``resizes_running(size, other)`` where members change their size while they run.

place a host row per VM, -1 where none has capacity, or ``Placed(rows, searches)``; it takes what it
          gives with ``candidates.take(vm, position)`` judge two arrays, value and limit per host,
          in shares of its CPU: overloaded where the value is higher; ``history_mhz`` has shape
          (hosts, samples), oldest first; ``linear`` returns None, or weights and limit of a test
          that is a weighted sum pick the position in ``vms`` of the VM that leaves order rows of
          the hosts to empty, the first one first, each once decide of a control policy: a
          :class:`Plan`; of a scaling policy: a number of members, or
          ``Wanted(members, rule, measured, limit, size)``
forecast  numbers of shape (steps, series), for a history of shape (samples, series)
steps     a generator: it yields a :class:`Step` each, is sent a :class:`Measured`, and returns a
          :class:`MigrationEnd`


Columns of ``view.hosts`` ------------------------- cpu_mhz (hosts) float64 MHz CPU that guests can
be given at most core_mhz (hosts) float64 MHz clock of one core base_mhz (hosts) float64 MHz CPU
that the hypervisor takes for itself demand_mhz (hosts) float64 MHz CPU asked for now, by guests,
copies and the hypervisor delivered_mhz (hosts) float64 MHz CPU given now, of what is requested
committed_mhz (hosts) float64 MHz sum of the sizes of the VMs on it utilisation (hosts) float64
share CPU delivered over CPU, 0 to 1 memory_mib (hosts) float64 MiB memory that VMs can be given at
most memory_used_mib (hosts) float64 MiB memory of VMs on it and of those on their way to it
vm_count (hosts) int64 VMs VMs on it incoming (hosts) int64 VMs VMs on their way to it state (hosts)
int8 state power state, a number of :class:`PowerState` reachable (hosts) bool yes/no within reach
over the network in_service (hosts) bool yes/no not closed for maintenance boots (hosts) int64 times
how often it has been woken stops (hosts) int64 times how often it has been put to sleep booted_s
(hosts) float64 s when its last boot ended; -inf: never vm_s (hosts) float64 VM s integral of
``vm_count`` over time group (hosts) int64 row group of like hosts rack (hosts) int64 row rack, a
position in ``rack_names`` rack_names sequence str name names of the racks names (hosts) str name
names of the hosts power bank object W power curves: ``power.of_load(rows, cpu_mhz)`` state_w method
float64 W power of hosts (rows) that sleep or switch; 0 of others changed method object none the
same columns but for some, as things will be


Columns of ``view.vms``
-----------------------
host             (VMs)     int64    row     host where it is; -1: none
moving_to        (VMs)     int64    row     host that it is on its way to; -1: none
state            (VMs)     int8     state   life, a number of :class:`VmState`
running          (VMs)     bool     yes/no  does work, moving or not
demand_mhz       (VMs)     float64  MHz     CPU asked for now, as the guest sees it
load_mhz         (VMs)     float64  MHz     physical CPU that this takes where it is
size_mhz         (VMs)     float64  MHz     CPU of its size: vCPUs times clock
vcpus            (VMs)     int64    vCPUs   vCPUs
memory_mib       (VMs)     float64  MiB     its own memory
footprint_mib    (VMs)     float64  MiB     the most that it takes of any host's memory
size             (VMs)     int64    row     size, in the order of the scenario
priority         (VMs)     int64    rank    who comes first, highest first
names            (VMs)     str      name    names of the VMs
changed          method    object   none    the same columns but for some, as things will be


Members of ``view``
-------------------
hosts            columns   object   none    see above
vms              columns   object   none    see above
now_s            number    float    s       simulated time
state            method    object   none    ``state(self, make)``: what a policy keeps, see below
states           states    object   none    the same of all policies
draw             method    object   none    random generator of a name: ``draw("mine").random()``
note             method    none     times   count something that the summary is to tell
noted            dict      int      times   what has been counted so
vms_on           method    int64    rows    VMs on some hosts (rows), ascending
held_mib         method    float    MiB     memory that a VM takes where it is
awake            method    bool     yes/no  (hosts): on or booting, in reach, in service
sleeping         method    bool     yes/no  (hosts): off, and can be woken
expected_mhz     method    float64  MHz     (hosts): demand once all moves under way have ended
use_mhz          method    float64  MHz     (VMs): CPU that each is given
vm_history_mhz   method    float64  MHz     (samples, VMs): newest samples of load, oldest first
vm_use_history_mhz  method  float64  MHz    the same of CPU given; empty unless a detector asks
host_history_mhz  method   float64  MHz     (samples, hosts): newest samples of demand
vm_samples       (VMs)     int64    samples  newest samples that are of the VM's present life
slow_cores       flag      bool     yes/no  VMs may go where a core is slower than they want
allowed          (sizes, groups)  bool  yes/no  sizes that a group may hold; None: all
one_guest        (hosts)   bool     yes/no  holds one VM at most; None: no host
movable          (sizes, groups, groups)  bool  yes/no  who moves from group to group; None: all
destinations     method    object   none    rows of VMs, and the groups where each may be or go
rules            rules     object   none    who belongs together, apart, where; None: no rules
affinity_group   method    int64    rows    VMs that have to be where a VM is, itself among them
kinds_of_vms     method    int64    kind    (VMs): equal for VMs of a size that no rule tells apart
kinds_of_hosts   method    int64    kind    (hosts): equal for hosts that are alike when empty
reserve          reserve   object   none    what is kept free; None: nothing
lenient          flag      bool     yes/no  the reserve may be broken where no host keeps it
reserve_book     method    object   none    what is promised, as a tentative book; None: no reserve
permits          method    object   none    which hosts VMs without a host may use

What changes between rounds is kept in ``view.state(self, make)``: the first call of a run makes
it (``make()``), each later call returns the same object. Each policy object has its own, two of a
kind too; a plain function names itself: ``view.state(my_policy, dict)``. Numbers, arrays, lists and
dictionaries can be kept, and what :func:`copy.deepcopy` can copy: a placement is also asked on
paper, in the failover test and for the reserve, with a copy of what it keeps.


Columns of ``candidates``, which a placement gets
-------------------------------------------------
One entry per host that may be taken, unless it says VMs. ``vms`` are rows of VMs, a *position* is
an index of these columns; ``candidates.hosts[position]`` is the host's row.

hosts            (candidates)  int64    row     rows of the candidates, ascending
capacity_mhz     (candidates)  float64  MHz     CPU up to which they are filled
load_mhz         (candidates)  float64  MHz     CPU taken
free_mhz         (candidates)  float64  MHz     CPU left
cpu_mhz          (candidates)  float64  MHz     CPU of the host
memory_mib       (candidates)  float64  MiB     memory of the host
memory_free_mib  (candidates)  float64  MiB     memory left
utilisation      (candidates)  float64  share   as measured last, nothing taken
sleeping         (candidates)  bool     yes/no  sleeps, and is woken when it is taken
off_w            (candidates)  float64  W       power while it sleeps; 0 of one that is awake
need_mhz         (VMs)         float64  MHz     CPU that each VM counts with
tie_mhz          number        float    MHz     CPU within which candidates are equal
tie_w            number        float    W       power within which candidates are equal

``full(vms)`` tells who has no room: bool, (VMs, candidates). ``fits(vm, position)`` asks for
one; ``take(vm, position)`` takes it; ``mark()`` and ``undo_to(mark)`` undo. ``view`` is the view.
Mostly a placement is one call of :func:`place_each` with a cost for each VM and candidate.


Verbs of a :class:`Plan`
------------------------
plan.move(vm, target, reason)     move a VM; a target that sleeps is woken; -1: none was found
plan.sleep(host, reason)          put a host to sleep once the last VM has left it
plan.wake(host, reason)           wake a host
plan.close(host)                  take a host out of service
plan.open(host)                   bring it back

A reason is a string, or ``Reason(rule, measured, limit)`` where a measure exceeded a limit. It
stands in the table ``decisions`` and in a VM's history. ``search=Search(…)`` records how a target
was looked for. How many members an application has, and of which size, a scaling policy says.


What is checked when
--------------------
As it is imported: the module runs without an error; the name exists; a class is a frozen dataclass.
As the scenario is read: parameters exist and are within bounds; methods are there and take the
arguments; attributes have their sort. As it answers: the answer has the right type, shape and
numbers, rows exist, a host is named once, no candidate is filled beyond its memory; what it sees
cannot be written. As a plan is carried out: a VM is moved once, from where it is; what has become
impossible meanwhile (the host filled up, the VM is moving) is recorded with its reason.

Whatever is wrong ends the run with exit code 2 (in Python: ``farmsim.PolicyError``) and says which
policy, when, what is wrong and what would be right, with the traceback of the policy's own lines.
What it prints goes to standard error. An installed policy that cannot be loaded gives one warning
and disturbs nobody who does not name it.
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

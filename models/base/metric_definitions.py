"""The figures that a run comes to: name, unit and published definition of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """Meaning of one figure of the summary."""

    unit: str
    title: str
    definition: str


METRICS: dict[str, Metric] = {
    "duration_h": Metric("h", "Simulated time", "Length of the run."),
    "hosts": Metric("hosts", "Hosts in the farm", "Hosts of the scenario, on or off."),
    "vms": Metric("VMs", "VMs asked for", "VMs of the workload."),
    "vms_ran": Metric("VMs", "VMs that ran", "VMs that had a host and ran, for however long."),
    "vms_rejected": Metric("VMs", "VMs rejected", "VMs for which no host had room."),
    "energy_kwh": Metric(
        "kWh", "Energy of the servers", "Integral of all hosts' power, without what hosts that are "
        "not paid for drew at rest."
    ),
    "facility_energy_kwh": Metric("kWh", "Energy of the site", "Energy of the servers times PUE."),
    "mean_power_w": Metric("W", "Mean power of the servers", "Energy over duration."),
    "peak_power_w": Metric("W", "Highest power", "Highest power of all hosts at any time."),
    "hosts_on_mean": Metric("hosts", "Mean hosts on", "Integral of hosts on over duration."),
    "hosts_on_peak": Metric(
        "hosts", "Peak hosts on", "Most hosts on, booting or shutting down at once after start-up."
    ),
    "startup_end_s": Metric(
        "s", "End of start-up", "When the last of the hosts was at rest that only the first "
        "placement had switched on; 0 where nothing is start-up (see docs/metrics.md)."
    ),
    "startup_hosts_on_peak": Metric(
        "hosts", "Peak hosts on in start-up", "Most hosts on, booting or shutting down at once "
        "until the end of start-up; 0 where there is none."
    ),
    "hosts_bound_mean": Metric(
        "hosts", "Theoretical minimum number of hosts", "Mean over time of a lower bound on the "
        "hosts that the same work needs on this farm (see docs/optimum.md)."
    ),
    "gap_hosts": Metric(
        "share", "Hosts above the minimum", "Mean hosts on over the theoretical minimum, less 1."
    ),
    "energy_bound_kwh": Metric(
        "kWh", "Theoretical minimum of energy", "Lower bound on the energy that the same work "
        "needs on this farm, with all hosts that are not needed off."
    ),
    "gap_energy": Metric(
        "share", "Energy above the minimum", "Energy of the servers over its theoretical minimum, "
        "less 1."
    ),
    "consolidation_ratio": Metric(
        "VMs/host", "Consolidation ratio", "Integral of VMs on hosts, those that start included, "
        "over integral of hosts on."
    ),
    "utilisation_mean": Metric(
        "share", "Utilisation, mean", "CPU delivered over capacity switched on, whole run."
    ),
    "utilisation_p50": Metric("share", "Utilisation, median", "Median over time."),
    "utilisation_p95": Metric("share", "Utilisation, P95", "95th percentile over time."),
    "utilisation_max": Metric("share", "Utilisation, highest", "Highest at any time."),
    "memory_mean": Metric(
        "share", "Memory, mean", "Memory that VMs hold, reservations for incoming ones included, "
        "over memory of hosts on, whole run."
    ),
    "memory_p95": Metric("share", "Memory, P95", "95th percentile over time."),
    "memory_max": Metric("share", "Memory, highest", "Highest at any time."),
    "host_memory_max": Metric(
        "share", "Fullest host, memory", "Highest share of its memory that any host ever held."
    ),
    "cpu_promised_p95": Metric(
        "share", "CPU promised, P95", "Sizes of VMs over CPU of hosts on times the overcommitment "
        "of placement; 95th percentile over time."
    ),
    "vcpus_per_core": Metric(
        "vCPUs/core", "vCPUs per core", "Integral of vCPUs of VMs over integral of cores of hosts "
        "on."
    ),
    "host_vcpus_per_core_max": Metric(
        "vCPUs/core", "vCPUs per core, highest host", "Highest of any host at any time."
    ),
    "host_vcpus_per_core_min": Metric(
        "vCPUs/core", "vCPUs per core, lowest host", "Lowest mean of any host while on."
    ),
    "host_utilisation_p95_max": Metric(
        "share", "Busiest host, P95", "Highest 95th percentile of any host while on."
    ),
    "migrations": Metric("migrations", "Migrations", "Migrations that ended within the run."),
    "migrated_gib": Metric("GiB", "Memory moved", "Memory copied by migrations that ended."),
    "vm_migrations_max": Metric("migrations", "Max migrations per VM", "Highest count of any VM."),
    "host_boots": Metric("cycles", "Host boots", "Hosts switched on after the start."),
    "host_shutdowns": Metric("cycles", "Host shutdowns", "Hosts switched off."),
    "work_requested_ghz_h": Metric(
        "GHz h", "Work asked for", "CPU work that VMs asked for, and the load of applications, "
        "whether or not a VM ran to do it."
    ),
    "work_served_ghz_h": Metric(
        "GHz h", "Work served", "CPU work of guests that was done, in what bare metal would have "
        "needed for it."
    ),
    "work_served_share": Metric("share", "Work served", "Work served over work asked for."),
    "unserved_share": Metric(
        "share", "CPU not served", "Work asked for and not done, over work asked for; the sum of "
        "the six causes that follow."
    ),
    "unserved_saturated_share": Metric(
        "share", "… host saturated", "Not done because the CPU of the host, or its I/O, was used "
        "up; over work asked for."
    ),
    "unserved_vm_limit_share": Metric(
        "share", "… the VM's own limit", "Demand beyond the VM's own vCPUs on the cores of its "
        "host, or beyond its limit; over work asked for."
    ),
    "unserved_overhead_share": Metric(
        "share", "… virtualisation overhead", "Not done because overhead, crowding or neighbours "
        "used up the VM's own vCPUs; over work asked for."
    ),
    "unserved_migration_share": Metric(
        "share", "… migration", "CPU taken from guests by migration, time on storage included; "
        "over work asked for."
    ),
    "unserved_not_running_share": Metric(
        "share", "… VM not running", "Demand of VMs while they were wanted and did not run: "
        "rejected, waiting, starting, lost, or down after a failure; over work asked for."
    ),
    "unserved_application_share": Metric(
        "share", "… too few members", "Load of applications beyond the capacity of their members "
        "that ran; over work asked for."
    ),
    "slatah": Metric(
        "share", "Time hosts were saturated (SLATAH)", "Mean over hosts of the share of their "
        "active time at 100 % of their CPU; a host is active while on and asked for CPU "
        "(Beloglazov and Buyya 2012)."
    ),
    "pdm": Metric(
        "share", "Capacity lost to migrations (PDM)", "Mean over VMs of CPU lost to migration over "
        "CPU asked for (Beloglazov and Buyya 2012)."
    ),
    "slav": Metric("share", "SLA violation (SLAV)", "SLATAH times PDM."),
    "esv": Metric(
        "kWh", "Energy \N{MULTIPLICATION SIGN} SLA violation (ESV)", "Energy of the servers times "
        "SLAV."
    ),
    "slatah_pooled": Metric(
        "share", "SLATAH, pooled", "Violating time of all hosts over active time of all hosts, "
        "as CloudSim prints it."
    ),
    "pdm_pooled": Metric(
        "share", "PDM, pooled", "CPU lost to migration over CPU asked for, all VMs together, as "
        "CloudSim prints it."
    ),
    "slav_pooled": Metric("share", "SLAV, pooled", "SLATAH pooled times PDM pooled."),
    "energy_per_work": Metric(
        "Wh/(GHz h)", "Energy per work", "Energy of the servers over work served."
    ),
    "overhead_share": Metric(
        "share", "Virtualisation overhead", "CPU delivered beyond the work served, over CPU "
        "delivered: hypervisor, control partition, host system and its applications."
    ),
    "cpu_ready": Metric(
        "share", "CPU ready", "Part of a VM's life that its vCPUs were ready and did not run, mean "
        "over the VMs that ran."
    ),
    "cpu_ready_max": Metric("share", "CPU ready, worst VM", "The same of the VM that had most."),
    "cpu_costop": Metric(
        "share", "CPU co-stop", "Part of a VM's life that its vCPUs waited for each other, mean "
        "over the VMs that ran."
    ),
    "energy_cost": Metric("money", "Energy cost", "Energy of the site times tariff."),
    "capital_cost": Metric(
        "money", "Capital cost", "Price of the hosts paid for, spread evenly over their lifetime."
    ),
    "licence_cost": Metric(
        "money", "Licence cost", "Hypervisor licences of the hosts paid for, part of the year."
    ),
    "total_cost": Metric(
        "money", "Cost", "Energy, capital and licence cost; without the licences of hosts whose "
        "price is not known, and then called so."
    ),
    "cost_per_year": Metric("money/year", "Cost per year", "Cost, extrapolated to 365 days."),
    "hosts_paid": Metric(
        "hosts", "Hosts paid for", "Hosts whose price, licence and standby power are counted."
    ),
}  # fmt: skip

WHERE_KNOWN: dict[str, Metric] = {
    "hosts_unlicensed": Metric(
        "hosts", "Hosts without a licence price", "Hosts paid for whose licence has a list price "
        "in another currency and no price of the scenario; costs are without their licences."
    ),
    "requests": Metric("requests", "Requests", "Requests that arrived at VMs with a class."),
    "response_mean_ms": Metric(
        "ms", "Response time, mean", "CPU by processor sharing, waiting behind a backlog, and "
        "what the layer adds to I/O; over all requests."
    ),
    "response_p95_ms": Metric("ms", "Response time, P95", "95th percentile over all requests."),
    "response_p99_ms": Metric("ms", "Response time, P99", "99th percentile over all requests."),
    "requests_waiting": Metric(
        "requests", "Requests waiting", "Backlog at the end, which no VM has served."
    ),
    "vms_arrived": Metric("VMs", "VMs that arrived", "VMs first asked for after the start."),
    "vms_finished": Metric("VMs", "VMs that left", "VMs that ran and left within the run."),
    "vms_lost": Metric(
        "VMs", "VMs lost", "VMs that crashed since a failed migration took their memory."
    ),
    "vms_waiting": Metric("VMs", "VMs waiting at the end", "VMs without a host at the end."),
    "vms_running_max": Metric("VMs", "VMs running, most", "Most VMs that ran at once."),
    "queue_max": Metric("VMs", "Longest queue", "Most VMs that waited at once."),
    "wait_mean_s": Metric(
        "s", "Wait, mean", "From the first request until a VM ran, provisioning included."
    ),
    "wait_p95_s": Metric("s", "Wait, P95", "95th percentile of the same."),
    "host_failures": Metric("failures", "Host failures", "Times that a host failed."),
    "host_availability": Metric(
        "share", "Availability of hosts", "One less the time failed, over all hosts and time."
    ),
    "vm_crashes": Metric("crashes", "VM crashes", "Times that a VM's host failed under it."),
    "vm_availability": Metric(
        "share", "Availability of VMs", "Time that VMs ran over time from first run to end, all "
        "together."
    ),
    "vm_downtime_h": Metric("h", "Downtime of VMs", "Time down after crashes, all VMs together."),
    "lost_work_ghz_h": Metric(
        "GHz h", "Work lost", "CPU that VMs would have asked for while they were down."
    ),
    "rules_broken_vm_h": Metric(
        "VM h", "Rules broken", "Hours in which VMs were where a rule with a price does not want "
        "them, summed over rules and VMs."
    ),
    "switching_kwh": Metric(
        "kWh", "Energy of switching", "Energy that hosts drew while booting, shutting down, or on "
        "their way into or out of another state of rest."
    ),
    "powered_down_kwh": Metric(
        "kWh", "Energy at rest", "Energy that hosts drew off or asleep, without those that are not "
        "paid for."
    ),
    "energy_excluded_kwh": Metric(
        "kWh", "Standby energy not counted", "What hosts that are not paid for drew at rest; not "
        "part of the energy of the servers."
    ),
    "host_cycles_max": Metric(
        "cycles/day", "Most power cycles of a host", "Times that a host was put to rest, per day "
        "(of a run shorter than a day: in all); the highest of any host."
    ),
    "below_reserve_h": Metric(
        "h", "Below the reserve", "Time in which hosts on or booting did not keep the reserve free."
    ),
    "co_tenants": Metric(
        "tenants", "Co-tenants", "Other tenants on a VM's host, mean over VMs and the time that "
        "they had a host."
    ),
    "exposure": Metric(
        "grade", "Exposure", "Ordinal grade from 0 to 10 from trusted code, interfaces and "
        "co-tenants, each a mean over a VM's time on hosts; median of VMs by that time; an order, "
        "never a probability (see docs/exposure.md)."
    ),
    "migration_mean_s": Metric(
        "s", "Migration time, mean", "Start of the copy to its end, mean over migrations that "
        "ended."
    ),
    "downtime_mean_s": Metric(
        "s", "Downtime, mean", "Time that a VM stood still or was not reachable in a migration, "
        "mean over those that ended."
    ),
    "downtime_p99_s": Metric("s", "Downtime, P99", "99th percentile over the same."),
    "downtime_max_s": Metric("s", "Downtime, worst", "Longest of the same."),
    "migration_wait_mean_s": Metric(
        "s", "Wait of migrations, mean", "From the decision until the copy began: for the target "
        "to boot, or for a free slot; mean over migrations that ended."
    ),
    "migration_energy_kwh": Metric(
        "kWh", "Energy of migrations", "Attributed to both hosts by bytes sent (Liu et al. 2011); "
        "not added to the energy of the servers, in which the load of copying is simulated."
    ),
    "link_utilisation_max": Metric(
        "share", "Busiest link", "Highest mean use of any link's bandwidth over 5 min, "
        "background included; of windows counted from the start of the run."
    ),
    "scale_outs": Metric(
        "times", "Scale-outs", "Decisions of scaling policies for more members, or larger ones."
    ),
    "scale_ins": Metric(
        "times", "Scale-ins", "Decisions of scaling policies for fewer members, or smaller ones."
    ),
    "shortages": Metric(
        "times", "Times short of members", "Times that the load of an application went beyond the "
        "capacity of its members that ran."
    ),
    "shortage_mean_s": Metric(
        "s", "Lateness of capacity, mean", "From when a load went beyond the capacity of the "
        "members that ran until the capacity was there, or the load had fallen; mean over all "
        "such times."
    ),
    "shortage_p95_s": Metric("s", "Lateness of capacity, P95", "95th percentile over the same."),
    "applications_unserved_ghz_h": Metric(
        "GHz h", "Load not served", "Work of applications beyond what their members that ran "
        "could do. What hosts did not deliver to members is in the share of CPU not served."
    ),
    "applications_unserved_share": Metric(
        "share", "Load not served", "The same over all work that applications were asked for."
    ),
    "applications_spare_share": Metric(
        "share", "Capacity to spare", "Capacity of the members that ran beyond what they were "
        "asked for, over that capacity."
    ),
    "unserved_load_penalty": Metric(
        "money", "Cost of lateness", "Work of applications that was not done, by the penalties of "
        "the scenario; not added to the total cost."
    ),
    "migrations_not_converged": Metric(
        "migrations", "Migrations without convergence", "Pre-copy migrations that resorted to "
        "stop and copy, throttling, post-copy or cancelling."
    ),
}  # fmt: skip
"""Figures that exist only where VMs have a request class, tenants are named, migrations ended or
go over a network, or VMs come and go or hosts fail."""

SAVINGS: dict[str, Metric] = {
    "saved_energy_kwh": Metric("kWh", "Energy saved", "Baseline's energy minus this run's."),
    "saved_energy_percent": Metric("%", "Energy saved", "In percent of the baseline's."),
    "saved_hosts": Metric("hosts", "Hosts saved", "Peak hosts on: baseline's minus this run's."),
    "saved_cost_per_year": Metric(
        "money/year", "Cost saved per year", "Baseline's cost per year minus this run's."
    ),
    "saved_cost_percent": Metric("%", "Cost saved", "In percent of the baseline's."),
    "payback_years": Metric(
        "years", "Payback", "Investment over cost saved per year; none where nothing is saved."
    ),
}
"""Figures against the first baseline; no value where the work of the two differs, and no saving
is claimed. They exist only where there is a baseline (the last: and an investment)."""

LOWER_IS_BETTER = frozenset(
    {
        "vms_rejected", "energy_kwh", "facility_energy_kwh", "mean_power_w", "peak_power_w",
        "hosts_on_mean", "hosts_on_peak", "hosts_paid", "migrations", "migrated_gib",
        "gap_hosts", "gap_energy",
        "migration_mean_s", "vm_migrations_max", "host_boots", "host_shutdowns",
        "unserved_share", "unserved_saturated_share", "unserved_vm_limit_share",
        "unserved_overhead_share", "unserved_migration_share", "unserved_not_running_share",
        "unserved_application_share", "slatah", "pdm", "slav", "esv",
        "slatah_pooled", "pdm_pooled", "slav_pooled", "energy_cost", "capital_cost",
        "licence_cost", "total_cost", "cost_per_year", "payback_years", "energy_per_work",
        "overhead_share", "cpu_ready", "cpu_ready_max", "cpu_costop", "response_mean_ms",
        "response_p95_ms", "response_p99_ms", "requests_waiting", "co_tenants", "exposure",
        "rules_broken_vm_h", "below_reserve_h", "switching_kwh", "powered_down_kwh",
        "host_cycles_max",
        "downtime_mean_s", "downtime_p99_s", "downtime_max_s",
        "migration_wait_mean_s",
        "migration_energy_kwh", "link_utilisation_max", "migrations_not_converged",
        "vms_lost", "vms_waiting", "queue_max", "wait_mean_s", "wait_p95_s", "host_failures",
        "vm_crashes", "vm_downtime_h", "lost_work_ghz_h",
        "shortages", "shortage_mean_s", "shortage_p95_s", "applications_unserved_ghz_h",
        "applications_unserved_share", "applications_spare_share", "unserved_load_penalty",
    }
)  # fmt: skip
HIGHER_IS_BETTER = frozenset(
    {
        "consolidation_ratio", "host_availability", "vm_availability", "work_served_ghz_h",
        "work_served_share", *SAVINGS,
    }
    - {"payback_years"}
)  # fmt: skip
"""Which way a figure is better, all else equal; figures in neither set are not ranked."""

"""Name, unit and published definition of every metric of a run."""

from .lazy_dataclass import dataclass


@dataclass(frozen=True)
class Metric:
    """Unit, title and definition of one metric of the summary."""

    unit: str
    title: str
    definition: str


METRICS: dict[str, Metric] = {
    "duration_h": Metric("h", "Simulated time", "Simulated duration of the run."),
    "hosts": Metric("hosts", "Hosts in the farm", "All hosts of the scenario, on or off."),
    "vms": Metric("VMs", "VMs requested", "Number of VMs in the workload."),
    "vms_ran": Metric("VMs", "VMs that ran", "VMs that ran on a host for any time."),
    "vms_rejected": Metric("VMs", "VMs rejected", "VMs for which no host had capacity."),
    "energy_kwh": Metric(
        "kWh", "Energy of the servers", "Integral of the power of all hosts, except what hosts "
                                        "that are not paid for drew while powered down."
    ),
    "facility_energy_kwh": Metric("kWh", "Energy of the site", "Energy of the servers times PUE."),
    "mean_power_w": Metric("W", "Mean power of the servers", "Energy divided by duration."),
    "peak_power_w": Metric("W", "Peak power", "Highest total power of all hosts at any "
                                                 "instant."),
    "hosts_on_mean": Metric("hosts", "Mean hosts on", "Number of hosts on, averaged over time."),
    "hosts_on_peak": Metric(
        "hosts", "Peak hosts on", "Maximum number of hosts on, booting or shutting down at the "
                                  "same time after start-up."
    ),
    "startup_end_s": Metric(
        "s", "End of start-up", "When the last of the hosts that only the initial placement had "
                                "switched on was powered down; 0 if there is no start-up phase "
                                "(see docs/metrics.md)."
    ),
    "startup_hosts_on_peak": Metric(
        "hosts", "Peak hosts on in start-up", "Maximum number of hosts on, booting or shutting "
                                              "down at the same time until the end of start-up; 0 "
                                              "if there is no start-up phase."
    ),
    "hosts_bound_mean": Metric(
        "hosts", "Theoretical minimum number of hosts", "Lower bound on the number of hosts for "
                                                        "the same work on this farm, averaged "
                                                        "over time (see docs/optimum.md)."
    ),
    "gap_hosts": Metric(
        "share", "Hosts above the minimum", "Mean hosts on divided by the theoretical minimum, "
                                            "minus 1."
    ),
    "energy_bound_kwh": Metric(
        "kWh", "Theoretical minimum of energy", "Lower bound on the energy for the same work on "
                                                "this farm, with all other hosts off."
    ),
    "gap_energy": Metric(
        "share", "Energy above the minimum", "Energy of the servers divided by its theoretical "
                                             "minimum, minus 1."
    ),
    "consolidation_ratio": Metric(
        "VMs/host", "Consolidation ratio", "VMs on hosts (including starting ones) per host on, "
                                           "averaged over time."
    ),
    "utilisation_mean": Metric(
        "share", "Utilisation, mean", "CPU delivered divided by the CPU of hosts on, over the "
                                      "whole run."
    ),
    "utilisation_p50": Metric("share", "Utilisation, median", "Median over time."),
    "utilisation_p95": Metric("share", "Utilisation, P95", "95th percentile over time."),
    "utilisation_max": Metric("share", "Utilisation, peak", "Highest value at any instant."),
    "memory_mean": Metric(
        "share", "Memory, mean", "Memory of the VMs (including reservations of incoming ones) "
                                 "divided by the memory of hosts on, over the whole run."
    ),
    "memory_p95": Metric("share", "Memory, P95", "95th percentile over time."),
    "memory_max": Metric("share", "Memory, peak", "Highest value at any instant."),
    "host_memory_max": Metric(
        "share", "Fullest host, memory", "Highest share of memory in use on any host at any "
                                         "instant."
    ),
    "cpu_promised_p95": Metric(
        "share", "CPU allocated, P95", "Sizes of the VMs divided by the CPU of hosts on times the "
                                      "CPU overcommitment of the placement; 95th percentile over "
                                      "time."
    ),
    "vcpus_per_core": Metric(
        "vCPUs/core", "vCPUs per core", "vCPUs of the VMs per core of hosts on, averaged over "
                                        "time."
    ),
    "host_vcpus_per_core_max": Metric(
        "vCPUs/core", "vCPUs per core, max of any "
                      "host", "Highest value of any host at any instant."
    ),
    "host_vcpus_per_core_min": Metric(
        "vCPUs/core", "vCPUs per core, min of any "
                      "host", "Lowest time average of any host while on."
    ),
    "host_utilisation_p95_max": Metric(
        "share", "Busiest host, P95", "Highest 95th percentile of CPU utilisation of any host "
                                      "while on."
    ),
    "migrations": Metric("migrations", "Migrations", "Migrations completed or cancelled within "
                                                     "the run."),
    "migrated_gib": Metric("GiB", "Memory migrated", "Memory copied by migrations that ended."),
    "vm_migrations_max": Metric("migrations", "Max migrations per VM", "Highest number of "
                                                                       "migrations of one VM."),
    "host_boots": Metric("cycles", "Host boots", "Hosts switched on after the start."),
    "host_shutdowns": Metric("cycles", "Host shutdowns", "Hosts switched off."),
    "work_requested_ghz_h": Metric(
        "GHz h", "Work requested", "CPU work requested by VMs, and the load of applications, "
                                   "whether or not a VM ran to serve it."
    ),
    "work_served_ghz_h": Metric(
        "GHz h", "Work served", "CPU work of the guests that was done, measured as the work that "
                                "bare metal would have needed."
    ),
    "work_served_share": Metric("share", "Work served", "Work served divided by work requested."),
    "unserved_share": Metric(
        "share", "CPU not served", "Requested work that was not done, as a share of requested "
                                   "work; the sum of the six causes below."
    ),
    "unserved_saturated_share": Metric(
        "share", "… host saturated", "Not done because the CPU or I/O of the host was saturated; "
                                     "share of requested work."
    ),
    "unserved_vm_limit_share": Metric(
        "share", "… the VM's own limit", "Demand beyond the VM's vCPUs on the cores of its host, "
                                         "or beyond its limit; share of requested work."
    ),
    "unserved_overhead_share": Metric(
        "share", "… virtualisation overhead", "Not done because overhead, contention or "
                                              "interference consumed the VM's vCPUs; share of "
                                              "requested work."
    ),
    "unserved_migration_share": Metric(
        "share", "… migration", "CPU lost to migrations, including time suspended to storage; "
                                "share of requested work."
    ),
    "unserved_not_running_share": Metric(
        "share", "… VM not running", "Demand of requested VMs while they did not run: rejected, "
                                     "waiting, starting, lost, or down after a failure; share of "
                                     "requested work."
    ),
    "unserved_application_share": Metric(
        "share", "… too few members", "Load of applications beyond the capacity of their running "
                                      "members; share of requested work."
    ),
    "slatah": Metric(
        "share", "Time hosts were saturated (SLATAH)", "Share of a host's active time at 100 % "
                                                       "CPU utilisation, averaged over hosts; a "
                                                       "host is active while it is on and has CPU "
                                                       "demand (Beloglazov and Buyya 2012)."
    ),
    "pdm": Metric(
        "share", "Capacity lost to migrations (PDM)", "CPU lost to migrations divided by CPU "
                                                      "requested, averaged over VMs (Beloglazov "
                                                      "and Buyya 2012)."
    ),
    "slav": Metric("share", "SLA violation (SLAV)", "SLATAH times PDM."),
    "esv": Metric(
        "kWh", "Energy \N{MULTIPLICATION SIGN} SLA violation (ESV)", "Energy of the servers times "
        "SLAV."
    ),
    "slatah_pooled": Metric(
        "share", "SLATAH, pooled", "Violation time of all hosts divided by active time of all "
                                   "hosts, as printed by CloudSim."
    ),
    "pdm_pooled": Metric(
        "share", "PDM, pooled", "CPU lost to migrations divided by CPU requested, over all VMs "
                                "together, as printed by CloudSim."
    ),
    "slav_pooled": Metric("share", "SLAV, pooled", "SLATAH pooled times PDM pooled."),
    "energy_per_work": Metric(
        "Wh/(GHz h)", "Energy per work", "Energy of the servers divided by work served."
    ),
    "overhead_share": Metric(
        "share", "Virtualisation overhead", "CPU delivered beyond the work served, as a share of "
                                            "CPU delivered: hypervisor, control partition, host "
                                            "operating system and its applications."
    ),
    "cpu_ready": Metric(
        "share", "CPU ready", "Share of time in which the vCPUs of a VM were ready but did not "
                              "run, averaged over the VMs that ran."
    ),
    "cpu_ready_max": Metric("share", "CPU ready, worst VM", "The highest value of any VM."),
    "cpu_costop": Metric(
        "share", "CPU co-stop", "Share of time in which the vCPUs of a VM waited for each other, "
                                "averaged over the VMs that ran."
    ),
    "energy_cost": Metric("money", "Energy cost", "Energy of the site times tariff."),
    "capital_cost": Metric(
        "money", "Capital cost", "Price of the hosts paid for, depreciated evenly over their "
                                 "lifetime."
    ),
    "licence_cost": Metric(
        "money", "Licence cost", "Hypervisor licences of the hosts paid for, pro rata for the "
                                 "duration."
    ),
    "total_cost": Metric(
        "money", "Cost", "Sum of energy, capital and licence cost; if a licence price is unknown, "
                         "without it, and the title says so."
    ),
    "cost_per_year": Metric("money/year", "Cost per year", "Cost, extrapolated to 365 days."),
    "hosts_paid": Metric(
        "hosts", "Hosts paid for", "Hosts whose price, licence and standby energy are counted."
    ),
}  # fmt: skip

WHERE_KNOWN: dict[str, Metric] = {
    "hosts_unlicensed": Metric(
        "hosts", "Hosts without a licence price", "Hosts paid for whose licence has only a list "
                                                  "price in another currency; costs exclude their "
                                                  "licences."
    ),
    "requests": Metric("requests", "Requests", "Requests that arrived at VMs with a request "
                                               "class."),
    "response_mean_ms": Metric(
        "ms", "Response time, mean", "CPU time under processor sharing, waiting behind a backlog, "
                                     "and I/O latency added by the hypervisor; over all requests."
    ),
    "response_p95_ms": Metric("ms", "Response time, P95", "95th percentile over all requests."),
    "response_p99_ms": Metric("ms", "Response time, P99", "99th percentile over all requests."),
    "requests_waiting": Metric(
        "requests", "Requests waiting", "Requests not yet served at the end of the run."
    ),
    "vms_arrived": Metric("VMs", "VMs that arrived", "VMs first requested after the start."),
    "vms_finished": Metric("VMs", "VMs finished", "VMs that ran and ended within the run."),
    "vms_lost": Metric(
        "VMs", "VMs lost", "VMs that crashed because a failed migration lost part of their memory."
    ),
    "vms_waiting": Metric("VMs", "VMs waiting at the end", "VMs without a host at the end."),
    "vms_running_max": Metric("VMs", "Peak VMs running", "Maximum number of VMs running at the "
                                                          "same time."),
    "queue_max": Metric("VMs", "Longest queue", "Maximum number of VMs waiting at the same time."),
    "wait_mean_s": Metric(
        "s", "Wait, mean", "From the first request until a VM ran, provisioning included."
    ),
    "wait_p95_s": Metric("s", "Wait, P95", "95th percentile of the same."),
    "host_failures": Metric("failures", "Host failures", "Times that a host failed."),
    "host_availability": Metric(
        "share", "Availability of hosts", "1 minus the share of time in which hosts were failed, "
                                          "over all hosts."
    ),
    "vm_crashes": Metric("crashes", "VM crashes", "Number of times the host of a running VM "
                                                  "failed."),
    "vm_availability": Metric(
        "share", "Availability of VMs", "Time in which VMs ran divided by the time from first "
                                        "start to end, over all VMs."
    ),
    "vm_downtime_h": Metric("h", "Downtime of VMs", "Total time in which VMs were down after "
                                                    "crashes."),
    "lost_work_ghz_h": Metric(
        "GHz h", "Work lost", "CPU demand of VMs while they were down."
    ),
    "rules_broken_vm_h": Metric(
        "VM h", "Rules broken", "Time in which VMs violated a soft placement rule, summed over "
                                "rules and VMs."
    ),
    "switching_kwh": Metric(
        "kWh", "Energy of power state "
               "transitions", "Energy used while booting, shutting down, entering or "
                                      "leaving a sleep state."
    ),
    "powered_down_kwh": Metric(
        "kWh", "Energy while powered "
               "down", "Energy used by hosts that were off or in a sleep state, except "
                                 "hosts that are not paid for."
    ),
    "energy_excluded_kwh": Metric(
        "kWh", "Standby energy excluded", "Energy used while powered down by hosts that are "
                                             "not paid for; not part of the energy of the servers."
    ),
    "host_cycles_max": Metric(
        "cycles/day", "Max power cycles of a host", "Number of times a host was powered down per "
                                                     "day (in total for a run shorter than a "
                                                     "day); maximum over hosts."
    ),
    "below_reserve_h": Metric(
        "h", "Time below the "
             "reserve", "Time in which the hosts on or booting did not have the reserve "
                                  "free."
    ),
    "co_tenants": Metric(
        "tenants", "Co-tenants", "Number of other tenants on the host of a VM, averaged over VMs "
                                 "and their time on a host."
    ),
    "exposure": Metric(
        "grade", "Exposure", "Ordinal grade from 0 to 10 from trusted code, interfaces and "
        "co-tenants, each a mean over a VM's time on hosts; median of VMs by that time; an order, "
        "never a probability (see docs/exposure.md)."
    ),
    "migration_mean_s": Metric(
        "s", "Migration time, mean", "From the start to the end of the copy, averaged over "
                                     "completed migrations."
    ),
    "downtime_mean_s": Metric(
        "s", "Downtime, mean", "Time in which the VM was stopped or unreachable during a "
                               "migration, averaged over completed migrations."
    ),
    "downtime_p99_s": Metric("s", "Downtime, P99", "99th percentile over the same."),
    "downtime_max_s": Metric("s", "Downtime, max", "Longest downtime of any migration."),
    "migration_wait_mean_s": Metric(
        "s", "Migration wait, mean", "From the decision to the start of the copy (waiting for "
                                         "the target to boot or for a free slot), averaged over "
                                         "completed migrations."
    ),
    "migration_energy_kwh": Metric(
        "kWh", "Energy of migrations", "Attributed to both hosts by bytes sent (Liu et al. 2011); "
                                       "not added to the energy of the servers, which already "
                                       "includes the simulated load of copying."
    ),
    "link_utilisation_max": Metric(
        "share", "Busiest link", "Highest utilisation of any link, including background traffic, "
                                 "averaged over 5-minute windows from the start of the run."
    ),
    "scale_outs": Metric(
        "times", "Scale-outs", "Decisions of scaling policies for more members, or larger ones."
    ),
    "scale_ins": Metric(
        "times", "Scale-ins", "Decisions of scaling policies for fewer members, or smaller ones."
    ),
    "shortages": Metric(
        "times", "Capacity shortages", "Number of times the load of an application exceeded "
                                           "the capacity of its running members."
    ),
    "shortage_mean_s": Metric(
        "s", "Capacity shortage, mean "
             "duration", "Time from when the load exceeded the capacity of the "
                                           "running members until capacity was added or the load "
                                           "fell, averaged over all shortages."
    ),
    "shortage_p95_s": Metric("s", "Capacity shortage, P95 "
                                  "duration", "95th percentile over the same."),
    "applications_unserved_ghz_h": Metric(
        "GHz h", "Load not served", "Load of applications beyond the capacity of their running "
                                    "members. CPU that hosts did not deliver to members is part "
                                    "of CPU not served."
    ),
    "applications_unserved_share": Metric(
        "share", "Load not served", "The same as a share of the total load of the applications."
    ),
    "applications_spare_share": Metric(
        "share", "Spare capacity", "Unused capacity of the running members, as a share of "
                                      "their capacity."
    ),
    "unserved_load_penalty": Metric(
        "money", "Penalty for load not "
                 "served", "Load of applications that was not served, priced by the "
                                     "penalties of the scenario; not added to the total cost."
    ),
    "migrations_not_converged": Metric(
        "migrations", "Migrations without convergence", "Pre-copy migrations that did not "
                                                        "converge and ended by stop-and-copy, "
                                                        "throttling, post-copy or cancellation."
    ),
}  # fmt: skip
"""Figures that exist only where VMs have a request class, tenants are named, migrations ended or
go over a network, or VMs come and go or hosts fail."""

SAVINGS: dict[str, Metric] = {
    "saved_energy_kwh": Metric(
        "kWh", "Energy saved", "Energy of the baseline minus energy of this run."
    ),
    "saved_energy_percent": Metric("%", "Energy saved", "In percent of the baseline."),
    "saved_hosts": Metric("hosts", "Hosts saved", "Peak hosts on: baseline minus this run."),
    "saved_cost_per_year": Metric(
        "money/year",
        "Cost saved per year",
        "Cost per year of the baseline minus cost per year of this run.",
    ),
    "saved_cost_percent": Metric("%", "Cost saved", "In percent of the baseline."),
    "payback_years": Metric(
        "years",
        "Payback",
        "Investment divided by cost saved per year; no value if nothing is saved.",
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

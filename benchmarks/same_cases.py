"""What ``same_results.py`` runs: scenarios of its own, and the commands of each case.

All that a change of the scenario language or of the command line touches stands here. Library
scenarios are those of the version under test; scenarios and tables below are written into the
folder of each case that names them.

A case that covers a new feature is added here, with as few hosts as will do: all cases run for each
comparison. A leading ``!`` is for commands that are meant to fail; their messages are compared too.
"""

SCENARIOS: dict[str, str] = {
    "living": """\
name: living
run: {duration: 8 h, report_every: 10 min, host_series: true}
farm:
  hosts:
    - {name: a, server: dell_r740_8280, count: 6, memory: 192 GiB, hypervisor: kvm}
    - {name: b, server: dell_r720_e5_2670, count: 6, memory: 96 GiB, hypervisor: esxi}
tenants: [{name: shop}]
workload:
  arrivals: {type: generated, rate: 0.02, trace_start: 7 days, clock: 2.5 GHz, class: web,
    tenant: shop}
policies:
  initial: {placement: best_fit, unplaced: reject, cpu_overcommit: 2}
  control: {policy: consolidation, selection: random}
  reserve: {kind: share, memory: 5 %, cpu: 5 %}
admission: {max_queue: 60, max_wait: 10 min, retries: 1}
provisioning: {method: template_copy, image: 10 GiB, starts_per_host: 4}
migration: {model: pre_copy, if_not_converging: cancel}
network: {layout: {topology: two_tier, hosts_per_rack: 4}, background: 20 %}
failures:
  restart_vms_of_isolated_hosts: true
  entries:
    - name: hosts
      component: host
      time_to_failure: {distribution: weibull, mean: 40 h, shape: 0.75}
      repair: {distribution: lognormal, mean: 1 h}
    - name: switches
      component: switch
      time_to_failure: {distribution: exponential, mean: 30 h}
      repair: {distribution: constant, mean: 20 min}
    - name: links
      component: link
      time_to_failure: {distribution: empirical, times: [20 h, 90 h]}
      repair: {distribution: exponential, mean: 10 min}
baseline: [{type: unconsolidated}, {type: dedicated}]
""",
    "placed": """\
name: placed
run: {duration: 6 h, host_series: true}
farm:
  order: interleaved
  hosts:
    - {name: g4, server: hp_ml110_g4, count: 15, memory: 16 GiB, price: 900 EUR}
    - {name: g5, server: hp_ml110_g5, count: 15, memory: 16 GiB, licence: 300 EUR}
workload:
  source: {type: synthetic, classes: planetlab, farm_factor: 10 %, bursts: {per_day: 2}}
  vms: 60
  size_order: random
  sizes:
    - {name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB, share: 50 %}
    - {name: m, vcpus: 2, clock: 1.5 GHz, memory: 2 GiB, share: 50 %}
policies: {control: consolidation, initial: {placement: round_robin, cpu_overcommit: 2}}
cost: {currency: EUR, investment: 5000 EUR, investment_for: project, hosts_paid: owned}
baseline: [{type: unconsolidated, placement: first_fit}, {type: dedicated, server: hp_ml110_g5}]
variants:
  static: {policies.control.overload: {policy: static_threshold, above_for: 10 min}}
  quartiles: {policies.control.overload: {policy: interquartile_range, measure: utilisation}}
  deviation: {policies.control.overload: {policy: median_absolute_deviation, history: host}}
  regression: {policies.control.overload: {policy: local_regression, samples_ahead: 2}}
  robust: {policies.control.overload: {policy: robust_local_regression, samples: 12}}
  random: {policies.control.selection: random, policies.control.placement: random}
  utilisation: {policies.control.selection: minimum_utilisation, policies.control.drain: none}
  correlation: {policies.control.selection: maximum_correlation, policies.every: 15 min}
  dot: {policies.control.placement: dot_product, policies.initial.placement: dot_product}
  first: {policies.control.placement: first_fit, policies.initial.placement: first_fit_decreasing}
  worst: {policies.control.placement: worst_fit, policies.initial.count_by: demand}
  balance: {policies.control: {policy: balance, max_migrations: 3}}
  resampled: {workload.source: {type: resample, trace: azure-v1-week, block: 1 day,
    draw_blocks: apart}}
  fan: {farm.hosts.g4.power: {model: fan, idle: 90 W, max: 120 W}, policies.control: none}
  cubic: {farm.hosts.g4.power: {model: cubic, idle: 90 W, max: 120 W}}
  square: {farm.hosts.g4.power: {model: square, idle: 90 W, max: 120 W}}
  root:
    farm.hosts.g4.power: {model: square_root, idle: 90 W, max: 120 W}
    policies.control: none
  asymptotic: {farm.hosts.g4.power: {model: asymptotic, idle: 90 W, max: 120 W, tau: 0.3}}
  constant: {farm.hosts.g4.power: {model: constant, power: 100 W}}
  dvfs:
    farm.hosts.g4.power:
      model: dvfs
      states:
        - {frequency: 60 %, idle: 80 W, max: 105 W}
        - {frequency: 100 %, idle: 93 W, max: 135 W}
""",
    "moves": """\
name: moves
run: {duration: 4 h}
farm:
  hosts:
    - {name: esxi, server: dell_r720_e5_2670, count: 6, memory: 64 GiB, hypervisor: esxi, site: n}
    - {name: kvm, server: dell_r740_8280, count: 4, memory: 192 GiB, hypervisor: kvm, site: s}
workload:
  source: planetlab-20110303
  vms: 60
  sizes:
    - {name: web, vcpus: 2, clock: 2 GHz, memory: 4 GiB, disk: 4 GiB, disk_writes: 50 Mbit/s,
       share: 50 %}
    - {name: store, vcpus: 4, clock: 2 GHz, memory: 8 GiB, disk: 20 GiB, disk_writes: 90 Mbit/s,
       share: 50 %, migration: {model: pre_copy, downtime_target: 100 ms,
         if_not_converging: throttle}}
policies:
  initial: {placement: round_robin, cpu_overcommit: 2}
  control: {policy: consolidation, drain: {policy: least_utilised, below: 60 %}}
migration: pre_copy
conversion: {kind: replicated, rate: 1200 Mbit/s}
network:
  layout:
    topology: sites
    sites: [{name: n, hosts: 6, hosts_per_rack: 3, uplink: 20 Gbit/s}, {name: s, hosts: 4}]
    lines: [{between: [n, s], bandwidth: 1 Gbit/s, latency: 5 ms}]
baseline: {type: none}
variants:
  pre: {}
  fixed: {migration: {model: fixed_rate, bandwidth: 10 Gbit/s}}
  cold: {migration: {model: cold, storage: with}, conversion: cold}
  suspend: {migration: {model: suspend_resume, zero_scan: 8 Gbit/s},
    network.migration_order: serial}
  post:
    migration: {model: post_copy, storage: before}
    network.max_migrations_per_host: 1
    failures: {restart_vms: false, schedule: [{at: 304500 ms, match: [esxi-6], duration: 10 min}]}
  hybrid: {migration: hybrid, network.transport: lv08, network.background: 30 %}
  curve:
    migration:
      {model: pre_copy, dirty: {model: curve, times: [1 s, 9 s], shares: [20 %, 60 %]},
       if_not_converging: post_copy, first_pass_bandwidth: 100 Mbit/s, max_rounds: 4}
  leaves: {network.layout: {topology: leaf_spine, hosts_per_leaf: 3, spines: 2}}
  tree: {network.layout: {topology: fat_tree}, network.transport: cm02, network.max_migrations: 2}
  switch: {network.layout: {topology: single_switch}, network.migration_order: planned}
  mixed: {farm.hosts.kvm.migration: post_copy, network.max_migrations_per_link: 1}
  slow: {network.transport: {latency_factor: 13.01, cross_traffic: 5 %, tcp_window: 4 MiB}}
  assigned:
    policies.control:
      policy: reassign
      at: 10 min
      assignment: {ait05_us_es_root: kvm-1}
      base_policy: {policy: consolidation}
""",
    "swapped": """\
name: swapped
run: {duration: 1 h}
farm: {hosts: [{name: h, server: hp_ml110_g5, count: 2, memory: 8 GiB}]}
workload:
  source: {type: constant, utilisation: 20 %}
  vms: 4
  sizes: [{name: v, vcpus: 1, clock: 1 GHz, memory: 4 GiB}]
policies:
  initial: {cpu_overcommit: 2}
  control:
    policy: reassign
    at: 10 min
    assignment: {vm-1: h-2, vm-2: h-2, vm-3: h-1, vm-4: h-1}
migration: pre_copy
network: {suspend_bandwidth: 2 Gbit/s}
baseline: {type: none}
variants:
  suspended: {}
  aside: {farm.hosts.h.count: 3}
""",
    "rules": """\
name: rules
run: {duration: 6 h}
farm:
  hosts_per_rack: 5
  hosts:
    - {name: web, server: hp_ml110_g5, count: 20, memory: 16 GiB, site: north}
    - {name: far, server: hp_ml110_g4, count: 5, memory: 16 GiB, site: south}
workload:
  source: {type: synthetic}
  vms: 60
  sizes:
    - {name: page, vcpus: 1, clock: 1 GHz, memory: 1 GiB, share: 80 %}
    - {name: db, vcpus: 2, clock: 1 GHz, memory: 2 GiB, share: 20 %, reservation: 100 MHz}
policies:
  initial: {cpu_overcommit: 4}
  control: consolidation
  reserve: {kind: dedicated, hosts: [far-5]}
service: {sharing: shares}
constraints_file: rules.csv
constraints:
  - {name: db-per-rack, type: spread, sizes: [db], domain: rack, at_most: 4}
  - {name: shop, type: together, vms: [vm-01, vm-02, vm-03]}
  - {name: licensed, type: fence, vms: ["vm-0[4-9]"], hosts: [web-01, web-02, web-03]}
  - {name: pages-apart, type: apart, vms: ["vm-1*"], penalty: 0.5}
  - {name: not-far, type: ban, vms: [vm-20, vm-21], hosts: ["far-*"], penalty: 2}
  - {name: alone, type: lonely, vms: [vm-30, vm-31]}
  - {name: kept, type: preserve, vms: [vm-40], cpu: 800 MHz}
  - {name: own, type: dedicated, vms: [vm-41, vm-42], hosts: [far-1]}
  - {name: site, type: together, vms: ["vm-5*"], domain: site, penalty: 3}
baseline: {type: unconsolidated}
""",
    "shop": """\
name: shop
run: {duration: 12 h}
farm: {hosts: [{name: x, server: dell_r720_e5_2670, count: 5, memory: 64 GiB, hypervisor: kvm}]}
workload:
  source: planetlab-20110303
  sizes:
    - {name: own, vcpus: 1, clock: 2 GHz, memory: 2 GiB, count: 20}
    - {name: web, vcpus: 4, clock: 2.5 GHz, memory: 8 GiB, class: web, count: 0}
    - {name: big, vcpus: 8, clock: 2.5 GHz, memory: 16 GiB, class: web, count: 0}
applications:
  - name: shop
    size: web
    min_members: 2
    max_members: 12
    load: {type: daily, peak: 4000 requests/s, trough: 500 requests/s, peak_at: 6 h}
    events: [{from: 8 h, to: 10 h, factor: 2, ramp: 10 min}]
    scaling: {policy: target_utilisation, target: 60 %}
    cool_down: {in: 5 min}
    penalty: {price: 0.001 EUR, per: request}
  - name: mail
    size: web
    min_members: 1
    max_members: 2
    load_balancing: round_robin
    load: {type: table, times: [0 h, 3 h, 9 h], rates: [4 GHz, 14 GHz, 3 GHz]}
    scaling: {policy: vertical, sizes: [web, big], hot_add_up_to: web}
  - name: batch
    size: web
    max_members: 4
    scale_in_order: oldest_first
    load: {type: constant, rate: 12 GHz}
    scaling: {policy: step, above: [70 %, 90 %], add: [1, 2], below: 30 %}
policies: {control: power_proportional, initial: {unplaced: reject, cpu_overcommit: 2}}
provisioning: {method: linked_clone, boot: 30 s}
failures: {schedule: [{at: 5 h, match: [x-1], duration: 1 h}]}
baseline: {type: dedicated}
""",
    "asleep": """\
name: asleep
run: {duration: 36 h, report_every: 10 min}
farm:
  hosts:
    - name: host
      server: dell_r720_e5_2670
      count: 10
      memory: 96 GiB
      hypervisor: kvm
      off_power: 6 W
      boot: {duration: 4 min, power: 200 W}
      sleep:
        - {state: suspend_to_ram, power: 9 W, exit: {duration: 25 s, power: 200 W}}
        - {state: standby}
        - {state: hibernate}
workload:
  source: azure-v1-week
  vms: 60
  size_order: cycle
  on_end: loop
  sizes: [{name: v, vcpus: 4, clock: 2.6 GHz, memory: 8 GiB}]
policies:
  initial: {placement: round_robin, cpu_overcommit: 4}
  control: {policy: combined, policies: [balance, dynamic_power], undo_after: 10 min}
  power: {sleep: suspend_to_ram, keep_awake: 2, idle_for: 10 min}
  reserve: {kind: hosts, hosts: 1}
failures: {schedule: [{at: 9 h, match: [host-02], duration: 1 h}]}
baseline: {type: unconsolidated}
variants:
  ram: {}
  disk: {policies.power: {sleep: hibernate, cycles_per_day: 2, awake_for: 1 h}}
  standby: {policies.power: {sleep: standby, keep_awake_share: 30 %}, policies.reserve.check: sum}
  ahead:
    policies.power: {sleep: suspend_to_ram, wake_ahead: 30 min, forecast: seasonal,
      max_utilisation: 60 %}
  mean: {policies.power: {wake_ahead: 20 min, forecast: {policy: moving_average}}}
""",
    "crowded": """\
name: crowded
run: {duration: 5 h}
farm:
  hosts:
    - {name: own, server: dell_r710_x5570, count: 3, memory: 32 GiB, hypervisor: esxi,
       memory_overcommit: 1.5, tenant: bank, smt_gain: 25 %, storage_iops: 5000,
       network: 1 Gbit/s, network_path: emulated}
    - {name: all, server: dell_r740_8280, count: 2, storage_path: emulated,
       hypervisor: {based_on: virtualbox, change: {cpu: {plain: 0.9}}}, host_applications: 10 %,
       assists: [vt_x, nested_paging]}
tenants: [{name: bank, isolation: dedicated}, {name: shop}]
workload:
  source: azure-v1-week
  vms: 60
  size_order: cycle
  sizes:
    - {name: a, vcpus: 2, clock: 1 GHz, memory: 2 GiB, share: 50 %, class: oltp, tenant: bank,
       reservation: 200 MHz, limit: 1.8 GHz}
    - {name: b, vcpus: 4, clock: 2 GHz, memory: 2 GiB, share: 50 %, tenant: shop, shares: 2000,
       class: {cpu: 5 ms, exits: 20, disk_pressure: 1}}
policies: {initial: {cpu_overcommit: 9}, control: consolidation}
service: {sharing: shares, interference: true, idle_energy_by: usage,
  simulate_requests: [azure-223811]}
cost: {currency: USD, energy_price: 0.2 USD/kWh, server_price: 7000 USD, licence_region: americas}
baseline: {type: dedicated, server: dell_r240_e_2176g, price: 900 USD}
variants:
  base: {}
  equal: {service.idle_energy_by: equal, service.incoming_counts_as_violation: true}
  demand: {service: {sharing: demand}}
""",
    "tables": """\
name: tables
run: {duration: 4 h}
farm: {hosts: [{name: h, server: hp_ml110_g5, count: 4, memory: 8 GiB}]}
tenants: [{name: shop}, {name: lab}]
workload: {arrivals: {type: table, path: vms.csv, clock: 1.2 GHz, utilisation_unit: percent}}
policies: {initial: {placement: best_fit, unplaced: reject}, control: power_proportional}
admission: {max_queue: 2, max_wait: 20 min, retries: 1}
baseline: {type: none}
variants:
  table: {}
  huawei:
    workload.arrivals: {type: huawei_east_1, path: events.csv, utilisation: 30 %}
    farm.hosts.h: {name: h, server: dell_r740_8280, count: 2}
  series:
    tenants: []
    workload:
      source: {type: csv, path: load.csv, layout: tidy, unit: percent}
      gaps: interpolate
      on_end: loop
      sizes: [{name: standard, vcpus: 2, clock: 1 GHz, memory: 2 GiB}]
""",
    "kept": """\
name: kept
run: {duration: 1 h, report_every: 30 min}
farm:
  hosts:
    - name: n
      count: 12
      server: {cores: 32, clock: 2.5 GHz, memory: 512 GiB,
               power: {model: linear, idle: 300 W, max: 900 W}}
      hypervisor: esxi
workload:
  source: {type: constant, utilisation: 10 %}
  sizes: [{name: v, vcpus: 4, clock: 2.5 GHz, memory: 16 GiB, count: 400}]
policies:
  initial: {placement: worst_fit, cpu_overcommit: 10, unplaced: reject}
  control: none
  reserve: {kind: hosts, hosts: 2, check: sum}
baseline: {type: none}
""",
    "wrong": """\
farm: {hosts: [{name: h, server: no_such_server, count: -1, memory: 8}]}
workload: {source: {type: constant, utilisation: 120 %}, vmz: 3}
policies: {control: consolidatoin}
""",
}
"""Scenarios by name: wide coverage with few hosts and VMs."""

TABLES: dict[str, str] = {
    "rules.csv": """\
rule,type,vm,host,domain,at_most,penalty
first,spread,vm-13,,rack,1,
first,,vm-14,,,,
second,fence,vm-15,web-11,,,
second,,vm-16,web-12,,,
quiet,lonely,vm-17,,,,1.5
""",
    "vms.csv": """\
vm,arrival,lifetime,vcpus,memory,utilisation,tenant,class,priority,batch
job-1,0,,2,3.5,52.5,shop,web,1,0
job-2,0,4707.2,2,3.5,16.0,,web,0,0
job-3,159,3600,2,1.75,60,lab,,0,1
job-4,160,8147.6,1,7.0,26.5,,web,0,1
job-5,161,179.0,2,7.0,27.4,lab,oltp,0,1
job-6,900,,2,6,95,shop,web,2,2
job-7,901,600,2,6,95,shop,web,0,2
job-8,902,,2,6,70,shop,,0,2
job-9,5000,,64,6,70,shop,,0,3
""",
    "events.csv": """\
vmid,cpu,memory,time,type
11,4,8,0,0
12,1,1,0,0
13,16,64,3600,0
12,1,1,7200,1
14,2,4,7200,0
12,2,4,9000,0
13,16,64,10800,1
""",
    "load.csv": """\
time,vm,cpu
2026-03-02T00:00:00Z,web-1,12.5
2026-03-02T00:00:00Z,web-2,40
2026-03-02T00:05:00Z,web-1,11
2026-03-02T00:10:00Z,web-1,91
2026-03-02T00:10:00Z,web-2,77
""",
}
"""Tables that scenarios above read, by file name."""

RUN = {
    "first-steps": "azure-1633748",
    "planetlab-day": "aladdin*ts*",
    "public-cloud": "vm-0009",
    "rack-maintenance": "chimay_infonet_fundp_ac_be_tum_i2p",
    "rolling-maintenance": "*_surfsnel_dsl_internl_net_colostate_557",
}
"""Library scenarios without variants, and a VM of each that is explained."""
COMPARED = ("black-friday", "drs-dpm", "rack-failure-at-peak")
CLAIMS = (
    "claim-1-hosted", "claim-2-assistance", "claim-2-paths", "claim-3-boot", "claim-3-embedded",
    "claim-4-bare-metal", "claim-5-private-cloud", "claim-6-public-cloud", "claim-7-any-server",
    "claim-8-busy", "claim-8-many-on-one", "claim-9-exposure",
)  # fmt: skip
SEEDS = (1, 2, 3, 4, 5)
CATALOGUES = {
    "servers": "hp_ml110_g5", "hypervisors": "esxi", "classes": "web",
    "policies": "consolidation", "workloads": "azure_v1",
}  # fmt: skip
VERBS = ("run", "compare", "evacuate", "failover", "optimum", "explain", "validate", "report")
EVACUATE = "evacuate library/rack-maintenance --hosts 'rack-b*' --at '2 h'"
RESERVE = "failover library/private-cloud-n-plus-1 --pairs"
VALIDATED = " ".join([*RUN, *COMPARED, *CLAIMS, "beloglazov2012"]).replace(" ", " library/")

CASES: dict[str, tuple[str, ...]] = {
    **{
        name: (f"run library/{name} --out out", f"explain out --vm '{vm}'")
        for name, vm in RUN.items()
    },
    **{name: (f"compare library/{name} --out out",) for name in COMPARED},
    **{name: (f"compare library/{name} --overhead-range --out out",) for name in CLAIMS},
    "beloglazov2012": ("run library/beloglazov2012 --out out",),
    "beloglazov2012-static": (
        "run library/beloglazov2012 --set 'run.duration=6 h' --out out --set"
        " 'policies.control.overload={policy: static_threshold, threshold: 80 %}'"
        " --set 'migration={model: pre_copy}'"
        " --set 'network={layout: {topology: fat_tree, port: 1 Gbit/s}}'",
    ),
    "private-cloud-n-plus-1": (
        "compare library/private-cloud-n-plus-1 --out out",
        f"{RESERVE} --out failed",
        f"{RESERVE} --set farm.hosts.0.count=12 --set policies.reserve.kind=hosts --out kept",
        f"!{RESERVE} --at '2 h' --assert-survives host --out lost",
    ),
    **{f"living-{seed}": (f"run living.yaml --seed {seed} --out out",) for seed in SEEDS},
    "placed": ("compare placed.yaml --out out",),
    "moves": (
        "compare moves.yaml --out out",
        "run moves.yaml --seed 7 --out one",
        "explain one --vm ait05_us_es_root --json",
        "evacuate moves.yaml --hosts 'esxi-*' --at '1 h' --set conversion=cold --out emptied",
    ),
    "swapped": ("compare swapped.yaml --out out",),
    "rules": (
        "run rules.yaml --out out", "explain out --vm vm-13",
        "optimum rules.yaml --at '2 h' --json", "failover rules.yaml --out failed",
    ),
    "shop": ("run shop.yaml --out out", "explain out --vm shop-03"),
    "asleep": ("compare asleep.yaml --out out", "failover asleep.yaml --pairs --out failed"),
    "crowded": ("compare crowded.yaml --overhead-range --out out",),
    "tables": ("compare tables.yaml --out out", "explain out/variants/table --vm job-5 --json"),
    "kept": ("run kept.yaml --out out", "failover kept.yaml --pairs --out failed"),
    "evacuate": (
        f"{EVACUATE} --out out",
        f"{EVACUATE} --hosts-per-wave 2 --maintenance-time '10 min' --json --out waves",
        f"{EVACUATE} --set network.migration_order=planned"
        " --set network.max_migrations_per_host=8 --out planned",
        f"!{EVACUATE} --deadline '1 min' --out late",
        "evacuate library/claim-7-any-server --hosts 'intel2019-*' --at '30 min' --out out-7",
        "!evacuate library/claim-7-any-server --hosts 'intel2019-*' --at '30 min'"
        " --set farm.hosts.2.hypervisor=esxi --out esxi",
    ),
    "failover": (
        "failover library/rack-failure-at-peak --pairs --out out",
        "failover library/rack-failure-at-peak --at '3 h' --set failures.restart_vms=false --json"
        " --out later",
    ),
    "optimum": (
        "optimum library/planetlab-day --at '10 h' --json",
        "optimum library/planetlab-day --at '10 h' --max-utilisation '80 %'",
        "optimum library/rack-maintenance --at '2 h' --json",
    ),
    "text": (
        "--help", *(f"{verb} --help" for verb in VERBS), "schema", "init made.yaml",
        f"validate library/{VALIDATED}", "validate placed.yaml moves.yaml rules.yaml",
        "!validate wrong.yaml", "run made.yaml --out out", "report out --out again.html",
        *(f"catalog {kind}" for kind in CATALOGUES),
        *(f"catalog {kind} --json" for kind in CATALOGUES),
        *(f"catalog {kind} {name}" for kind, name in CATALOGUES.items()),
    ),
}  # fmt: skip
"""Commands of farmsim in turn, by the name of the case; with a leading ``!`` one that fails.

What writes a folder names it, since the folder of its own choice would have a hash in its name.
"""

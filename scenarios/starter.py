"""What ``farmsim init`` writes: a scenario, or a policy of one's own with its test."""

import json
import keyword
import sys
from importlib.machinery import PathFinder
from importlib.resources import files
from pathlib import Path

from .errors.problems import refuse
from .files.atomic_replace import replace_text
from .files.destination import always, kind_at, refuse_file
from .schema import SCHEMA_ID, schema_text

SCHEMA_FILE = "farmsim.schema.json"
SCHEMA = "a schema of scenarios"
MODELINE = f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n"


def write_starter(path: Path, force: bool) -> list[Path]:
    """Write a commented scenario and the schema beside it; return what was written.

    Raises InputError if a file is in the way and ``force`` is not set, or the system refuses
    to write. Links, devices and FIFOs are never written to.
    """
    if path.suffix not in {".yaml", ".yml"}:
        raise refuse(str(path), "does not end in .yaml; choose a name that does")
    if kind_at(path) == "file" and not force:
        raise refuse(str(path), "exists; choose another name, or overwrite it with --force")
    schema = path.parent / SCHEMA_FILE
    overwrite = always if force else is_schema
    refuse_file(path, always, "a scenario")
    refuse_file(schema, overwrite, SCHEMA)
    source = files("farmsim.scenarios") / "library" / "first-steps.yaml"
    replace_text(schema, schema_text() + "\n", overwrite, SCHEMA)
    replace_text(path, MODELINE + source.read_text("utf-8"), always, "a scenario")
    return [path, schema]


def is_schema(path: Path) -> bool:
    """Whether a file is a schema that farmsim wrote, by its identity."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("$id") == SCHEMA_ID


POLICY = '''\
"""A control policy: what it reads and returns is listed in farmsim.policies.protocol."""

from dataclasses import dataclass

import numpy as np

from farmsim.policies.protocol import FarmView, Plan, Reason, VmState, parameter


@dataclass(frozen=True)
class MyPolicy:
    """Every round one VM leaves the busiest host, if that is above a limit.

    It goes to the least busy host that stays below the limit, or to one that sleeps. Hosts without
    VMs sleep.
    """

    limit: float = parameter(
        "Utilisation above which a VM leaves a host.", 0.7, dimension="share", gt=0, le=1
    )

    samples = 0  # how many past samples it reads with view.vm_history_mhz
    powers_down = True  # hosts without VMs are off from the start

    def decide(self, view: FarmView) -> Plan:
        """Return what is to be done now."""
        plan, hosts, vms = Plan(), view.hosts, view.vms
        awake = np.flatnonzero(view.awake())
        load_mhz = view.expected_mhz()
        use = load_mhz[awake] / hosts.cpu_mhz[awake]
        busiest = awake[use.argmax()]
        receivers = [*awake[use.argsort(kind="stable")], *np.flatnonzero(view.sleeping())]
        leaving = view.vms_on(np.array([busiest]))
        leaving = leaving[vms.state[leaving] == VmState.RUNNING]
        free_mib = hosts.memory_mib - hosts.memory_used_mib
        if use.max() > self.limit and len(leaving) > 1:
            vm = leaving[vms.memory_mib[leaving].argmin()]
            for host in receivers:
                then = (load_mhz[host] + vms.load_mhz[vm]) / hosts.cpu_mhz[host]
                if then <= self.limit and free_mib[host] >= vms.footprint_mib[vm]:
                    plan.move(vm, host, Reason("above limit", use.max(), self.limit))
                    break
        targets = {each.target for each in plan.proposals}
        for host in awake[(hosts.vm_count[awake] == 0) & (hosts.incoming[awake] == 0)]:
            if host not in targets:
                plan.sleep(host, "without VMs")
        return plan
'''

POLICY_TEST = '''\
"""Tests of the policy: python -m pytest test_my_policy.py."""

import farmsim
from my_policy import MyPolicy


def run(utilisation: str) -> farmsim.Result:
    """Run four VMs of 8 vCPUs for an hour, all on the first of four hosts of 16 cores."""
    return farmsim.run(
        {
            "farm": {"hosts": [{"name": "host", "server": "dell_r720_e5_2670", "count": 4}]},
            "workload": {
                "source": {"type": "constant", "utilisation": utilisation},
                "vms": 4,
                "sizes": [{"name": "large", "vcpus": 8, "clock": "2.6 GHz", "memory": "2 GiB"}],
            },
            "policies": {
                "initial": {"placement": "first_fit", "cpu_overcommit": 2},
                "control": MyPolicy(limit=0.7),
            },
            "run": {"duration": "1 h"},
            "baseline": {"type": "none"},
        }
    )


def test_a_busy_host_is_relieved() -> None:
    result = run("60 %")
    moved = [row for row in result.table("decisions").to_pylist() if row["outcome"] == "moved"]
    assert moved
    assert all(row["rule"] == "above limit" and row["measured"] > 0.7 for row in moved)
    assert result.value("hosts_on_peak") == 2


def test_below_the_limit_nothing_moves() -> None:
    result = run("20 %")
    assert result.value("migrations") == 0
    assert result.value("hosts_on_peak") == 1
'''


def write_policy(path: Path, force: bool) -> list[Path]:
    """Write a control policy that works and a test beside it; return what was written.

    Raises InputError as :func:`write_starter`, and where the file's name is none of a module.
    """
    module = path.stem
    test = path.with_name(f"test_{path.name}")
    if path.suffix != ".py":
        raise refuse(str(path), "does not end in .py; name a Python file")
    if not module.isidentifier() or keyword.iskeyword(module):
        raise refuse(str(path), "is no module name; use letters, digits and _")
    if module in sys.builtin_module_names or PathFinder.find_spec(module, _installed_paths()):
        raise refuse(str(path), f"hides the module {module}, which exists; choose another name")
    for each in (path, test):
        if kind_at(each) == "file" and not force:
            raise refuse(str(each), "exists; choose another name, or overwrite it with --force")
        refuse_file(each, always, "a policy")
    name = "".join(part.capitalize() for part in module.split("_"))
    for each, text in ((path, POLICY), (test, POLICY_TEST)):
        own = text.replace("my_policy", module).replace("MyPolicy", name)
        replace_text(each, own, always, "a policy")
    return [path, test]


def _installed_paths() -> list[str]:
    """Return where modules are looked for, apart from the working directory."""
    here = str(Path.cwd())
    return [each for each in sys.path if each not in ("", here)]


def commands_for(path: Path) -> list[str]:
    """Return the commands that run a scenario with a policy just written, and its test."""
    name = "".join(part.capitalize() for part in path.stem.split("_"))
    there = f"cd {path.parent} && " if path.parent != Path() else ""
    own = f"policies.control={{policy: '{path.stem}:{name}'}}"
    return [
        f'{there}farmsim run library/first-steps --allow-code --set "{own}"',
        f"{there}python -m pytest test_{path.name}",
    ]

"""What is wrong with a policy of any kind is told as its own fault, with what would be right."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import farmsim
from farmsim.policies import catalogue
from farmsim.policies.user_policies.kinds import KINDS
from farmsim.scenarios.catalogue_listing import entries

ATTRIBUTES = {
    "overload": "samples = 1; history = 'vms'; linear = lambda self, depth: None",
    "selection": "samples = 1",
    "drain": "receivers = spare_idle = False; below = 0.5",
    "control": "samples = 1; powers_down = True",
    "forecast": "reach_s = 600.0",
}
SHAPES = {
    "Thawed": "@dataclass\nclass {name}:\n    {extra}\n    def {method}(self, {given}): pass\n",
    "Plain": "class {name}:\n    {extra}\n    def {method}(self, {given}): pass\n",
    "Empty": "@dataclass(frozen=True)\nclass {name}:\n    {extra}\n",
    "Asks": "@dataclass(frozen=True)\nclass {name}:\n    {extra}\n"
    "    def {method}(self, {given}, more): pass\n",
    "Odd": "@dataclass(frozen=True)\nclass {name}:\n    x: 'Nonsense' = 0\n    {extra}\n"
    "    def {method}(self, {given}): pass\n",
    "Exits": "@dataclass(frozen=True)\nclass {name}:\n    {extra}\n"
    "    def __post_init__(self): sys.exit(0)\n    def {method}(self, {given}): pass\n",
    "value": "{name} = 5\n",
    "few": "def {name}(): pass\n",
}
SAID = {
    "Thawed": "its dataclass is not frozen; write @dataclass(frozen=True)",
    "Plain": "and no dataclass; a {kind} policy is a frozen dataclass, or a function ({given})",
    "Empty": "it has no method {method}; define {method}(self, {given})",
    "Asks": "{method}(self, {given}, more) has other parameters; define {method}(self, {given})",
    "Odd": "its annotations fail: NameError",
    "Exits": "failed: SystemExit: 0; correct it where the traceback below points",
    "value": "it is 5 and no dataclass",
    "few": "arguments; write def",
}
MIGRATIONS = '''
def never_arrives(guest):
    """End without an arrival."""
    yield Step("copy", wait_s=1.0)
    return MigrationEnd(moved=True)

def back(guest):
    """Wait a negative time."""
    yield Step("copy", wait_s=-1.0)
    return MigrationEnd(moved=False)

def text(guest):
    """Yield a text."""
    yield "copy"

def open_end(guest):
    """Return nothing."""
    yield Step("arrive", arrived=True)

def plain(guest):
    """Is no generator."""
    return Step("arrive", arrived=True)

def endless(guest):
    """Never end."""
    while True:
        yield Step("again")

def breaks(guest):
    """Fail on the way."""
    yield Step("copy", wait_s=5.0)
    raise KeyError("lost")
'''
PLACEMENTS = '''
def fills(candidates, vms):
    """Take one host for all."""
    for vm in vms.tolist():
        candidates.take(vm, 0)
    return [int(candidates.hosts[0])] * len(vms)

def says_another(candidates, vms):
    """Take a host and name another."""
    for vm in vms.tolist():
        candidates.take(vm, 0)
    return [int(candidates.hosts[1])] * len(vms)

def writes(candidates, vms):
    """Write into a column of the candidates."""
    candidates.free_mhz[0] = 1e9

def no_costs(candidates, vms):
    """Price with NaN."""
    return place_each(candidates, vms, Pricing(nothing))

def nothing(candidates, vms, at):
    return np.full((len(vms), len(candidates.hosts[at])), np.nan)

def flat(candidates, vms):
    """Price with one number."""
    return place_each(candidates, vms, Pricing(one))

def one(candidates, vms, at):
    return 1.0
'''


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    parts = [
        "import sys\nfrom dataclasses import dataclass\nimport numpy as np\n"
        "from farmsim.policies.protocol import MigrationEnd, Pricing, Step, place_each\n",
        MIGRATIONS, PLACEMENTS,
    ]  # fmt: skip
    for kind, about in KINDS.items():
        parts += [
            text.format(
                name=f"{kind}_{name}", method=about.method, given=", ".join(about.parameters),
                extra=ATTRIBUTES.get(kind, "pass"),
            )
            for name, text in SHAPES.items()
        ]  # fmt: skip
    (tmp_path / "wrong_module.py").write_text("\n".join(parts))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("wrong_module", None)


def base(vms: int = 4) -> dict[str, object]:
    return {
        "farm": {
            "hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": 2, "memory": "8 GiB"}]
        },
        "workload": {
            "source": {"type": "constant", "utilisation": "30 %"},
            "vms": vms,
            "sizes": [{"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "1 GiB"}],
        },
        "run": {"duration": "20 min"},
        "baseline": {"type": "none"},
    }


def slot(kind: str, own: str) -> str:
    """Return the override that names a policy where one of its kind belongs."""
    named = f"{{policy: '{own}'}}"
    if kind == "control":
        return f"policies.control={named}"
    if kind == "placement":
        return f"policies.initial.placement={named}"
    if kind == "migration":
        return f"migration={{model: '{own}'}}"
    if kind == "forecast":
        return f"policies.power={{wake_ahead: 20 min, forecast: {named}}}"
    if kind == "scaling":
        load = "load: {type: constant, rate: 1 GHz}"
        return f"applications=[{{name: a, size: s, maximum: 2, {load}, scaling: {named}}}]"
    return f"policies.control={{policy: consolidation, {kind}: {named}}}"


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_wrong_shape_is_refused_as_the_scenario_is_read(kind: str, shape: str) -> None:
    with pytest.raises(farmsim.InputError) as caught:
        farmsim.run(base(), slot(kind, f"wrong_module:{kind}_{shape}"), allow_code=True)
    said = SAID[shape].format(
        kind=kind, method=KINDS[kind].method, given=", ".join(KINDS[kind].parameters)
    )
    assert not isinstance(caught.value, farmsim.PolicyError)
    told = str(caught.value)
    assert said in told
    assert "wrong_module" in told or f"{kind}_{shape}" in told
    assert "user_policies" not in told


@pytest.mark.parametrize(
    ("name", "time_s", "message"),
    [
        ("never_arrives", 561, "returned moved=True without a step that arrived"),
        ("back", 560, "wait_s -1.0; wait_s is a finite number, 0 or more"),
        ("text", 560, "steps yielded 'copy'; steps yields Step(name, …)"),
        ("open_end", 560, "steps returned None; steps ends with return MigrationEnd(moved=True)"),
        ("plain", 560, "steps is a generator: it yields steps and returns how"),
        ("endless", 560, "100,000 steps without an end"),
        ("breaks", 565, "steps failed: KeyError: 'lost'"),
    ],
)
def test_a_migration_model_is_held_to_its_steps(name: str, time_s: float, message: str) -> None:
    overload = "{policy: static_threshold, threshold: 1 %}"
    with pytest.raises(farmsim.PolicyError) as caught:
        farmsim.run(
            base(), slot("migration", f"wrong_module:{name}"),
            f"policies.control={{policy: consolidation, overload: {overload}, drain: none}}",
            allow_code=True,
        )  # fmt: skip
    assert message in str(caught.value)
    assert caught.value.time_s == time_s
    assert f"policy wrong_module:{name} at {time_s:g} s" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fills", "more VMs for host 0 than it has memory for, by 4096 MiB; take a candidate only"),
        ("says_another", "host 1 for VM 0, having taken host 0; return the host that was taken"),
        ("writes", "is read-only"),
        ("no_costs", "a cost is NaN; it is a number, inf where a VM is not to go"),
        ("flat", "of shape (); they are numbers of shape (VMs, candidates), here (1, 2)"),
    ],
)
def test_a_placement_is_held_to_what_hosts_have(name: str, message: str) -> None:
    with pytest.raises(farmsim.PolicyError) as caught:
        farmsim.run(
            base(vms=12), slot("placement", f"wrong_module:{name}"), "policies.control=none",
            allow_code=True,
        )  # fmt: skip
    assert message in str(caught.value)


def test_an_installed_policy_that_is_broken_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "half_module.py").write_text("print('LOADING')\ndef half(:\n")
    info = tmp_path / "half-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(
        "[farmsim.policies]\ncontrol.half = half_module:Half\noverload.other = json:gone\n"
    )

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "farmsim", *arguments], check=False, capture_output=True,
            text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )  # fmt: skip

    listed = call("catalog", "policies", "--json")
    assert listed.returncode == 0
    assert "LOADING" not in listed.stdout
    warned = sorted(line for line in listed.stderr.splitlines() if line.startswith("warning: "))
    assert len(warned) == len(listed.stderr.splitlines()) == 2
    assert "the policy 'control.half' of package half cannot be loaded: SyntaxError" in warned[0]
    assert "the policy 'overload.other' of package half cannot be loaded" in warned[1]
    schema = call("schema")
    assert (schema.returncode, len(schema.stderr.splitlines())) == (0, 2)
    fine = call("validate", "library/first-steps")
    assert (fine.returncode, fine.stdout) == (0, "library/first-steps: ok\n")
    named = call("validate", "library/first-steps", "--set", "policies.control=half")
    assert named.returncode == 2
    assert "def half(:" in named.stderr


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('x: float = parameter("X.", 1.0, dimension="length")', "the dimension of x is 'length'"),
        ('x: object = parameter("X.", None, slot="palcement")', "the slot of x is 'palcement'"),
        ('x: np.ndarray = parameter("X.", None)', "its parameters cannot be written in a scenario"),
        ('x: float = parameter("X.", "five", dimension="time")', "the default of x is 'five'"),
    ],
)
def test_parameters_that_no_scenario_can_hold_are_refused(
    field: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "field_module.py").write_text(
        "from dataclasses import dataclass\nimport numpy as np\n"
        "from farmsim.policies.protocol import Plan, parameter\n\n"
        f"@dataclass(frozen=True)\nclass Mine:\n    {field}\n    samples = 0\n"
        "    powers_down = False\n    def decide(self, view):\n        return Plan()\n"
    )
    monkeypatch.delitem(sys.modules, "field_module", raising=False)
    with pytest.raises(farmsim.InputError) as caught:
        farmsim.run(base(), slot("control", "field_module:Mine"), allow_code=True)
    assert f"field_module:Mine: {message}" in str(caught.value)
    mine = vars(sys.modules["field_module"])["Mine"]
    monkeypatch.setattr(catalogue, "_added", {kind: {} for kind in catalogue.KINDS})
    farmsim.register("control", "mine", mine)
    with pytest.warns(catalogue.PluginWarning, match="control policy 'mine' cannot be used"):
        assert entries("policies")
    assert entries("policies")
    monkeypatch.delitem(sys.modules, "field_module")

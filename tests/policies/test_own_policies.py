"""What is wrong with a user's policy is told as the policy's fault, with its own traceback."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim.cli.main import run_command_line
from farmsim.policies import catalogue

MODULE = '''
from dataclasses import dataclass
import sys
import numpy as np
from farmsim.models.base.parameters import parameter
from farmsim.policies.placement.placement import Placed
from farmsim.policies.interface.plan import Plan, Proposal, Reason, Search


@dataclass(frozen=True)
class Control:
    """A control policy that does one thing wrong."""

    what: str = parameter("What.", "nothing")
    samples = 0
    powers_down = True

    def decide(self, view):
        vm = int(np.flatnonzero(view.vms.host >= 0)[0])
        at = int(view.vms.host[vm])
        idle = np.flatnonzero(view.awake() & (view.hosts.vm_count == 0)).tolist()
        asleep = np.flatnonzero(view.sleeping()).tolist()
        move = Proposal(vm, at, at + 1, Reason("mine", 0.0, 0.0), Search())
        if self.what == "raises":
            return self.deeper()
        if self.what == "exits":
            sys.exit(0)
        if self.what == "interrupts":
            raise KeyboardInterrupt
        if self.what == "recurses":
            return self.decide(view)
        if self.what == "replaces":
            view.vms.demand_mhz = view.vms.demand_mhz * 2
        if self.what == "no reason":
            Plan().move(vm, at + 1, "")
        if self.what == "prints":
            print("HELLO")
            return Plan()
        if self.what == "writes":
            view.hosts.cpu_mhz[0] = 1.0
        return {
            "nothing": Plan(),
            "none": None,
            "wakes twice": Plan(wakes=asleep[:1] * 2),
            "sleeps twice": Plan(sleeps=idle[:1] * 2, wakes=asleep[:1]),
            "source": Plan([move._replace(source=at + 1)]),
            "float target": Plan([move._replace(target=1.5)]),
            "float row": Plan([move._replace(vm=0.5)]),
            "unknown host": Plan([move._replace(target=99)]),
            "moves twice": Plan([move, move]),
            "reason": Plan([move._replace(reason=3)]),
            "search": Plan([move._replace(search=3)]),
            "tuple": Plan([(1, 2, 3)]),
            "name": Plan(sleeps=["h-1"]),
            "refusals": Plan(refusals=5),
            "nan": Plan([move._replace(reason=Reason("mine", float("nan"), 0.0))]),
        }[self.what]

    def deeper(self):
        return {}["missing"]


@dataclass(frozen=True)
class NoSamples:
    """A control policy without samples."""

    powers_down = True

    def decide(self, view):
        return Plan()


@dataclass(frozen=True)
class FailsAtOnce:
    """A control policy that cannot be made."""

    samples = 0
    powers_down = True

    def __post_init__(self):
        raise KeyError("made")

    def decide(self, view):
        return Plan()


@dataclass(frozen=True)
class Place:
    """A placement that does one thing wrong."""

    what: str = parameter("What.", "raises")

    def place(self, room, vms):
        count = len(vms)
        return {
            "raises": lambda: 1 / 0,
            "none": lambda: None,
            "short": lambda: Placed(np.zeros(0, int), []),
            "stranger": lambda: Placed(np.full(count, 77), [Search()] * count),
            "float": lambda: Placed(np.full(count, 0.5), [Search()] * count),
        }[self.what]()


@dataclass(frozen=True)
class Detector:
    """A detector that does one thing wrong."""

    what: str = parameter("What.", "raises")
    samples = 1
    history = "vms"

    def linear(self, depth):
        return (np.ones(depth + 2), 1.0) if self.what == "weights" else None

    def judge(self, history_mhz, capacity_mhz):
        return {
            "raises": lambda: 1 / 0,
            "none": lambda: None,
            "shape": lambda: (history_mhz, capacity_mhz),
            "nan": lambda: (capacity_mhz * np.nan, capacity_mhz),
        }[self.what]()


@dataclass(frozen=True)
class Select:
    """A selection that does one thing wrong."""

    what: str = parameter("What.", "raises")
    samples = 1

    def pick(self, view, vms):
        return {"raises": lambda: 1 / 0, "none": lambda: None, "far": lambda: 99}[self.what]()


@dataclass(frozen=True)
class Empty:
    """A drain policy that does one thing wrong."""

    what: str = parameter("What.", "raises")
    drain_receivers = False
    skip_idle_hosts = False
    below = 0.5

    def order(self, view, overloaded):
        return {"raises": lambda: 1 / 0, "twice": lambda: [0, 0]}[self.what]()


@dataclass(frozen=True)
class Scale:
    """A scaling policy that does one thing wrong."""

    what: str = parameter("What.", "raises")

    def decide(self, view):
        return {"raises": lambda: 1 / 0, "none": lambda: None}[self.what]()


@dataclass(frozen=True)
class Foresee:
    """A forecaster that does one thing wrong."""

    what: str = parameter("What.", "raises")
    reach_s = 600.0

    def forecast(self, history, step_s, steps):
        return {"raises": lambda: 1 / 0, "shape": lambda: np.zeros(steps)}[self.what]()
'''

CONSOLIDATION = "policy: consolidation, drain: none"
STATIC = "overload: {policy: static_threshold, threshold: 1 %}"
APPLICATION = (
    "name: a, size: s, min_members: 1, max_members: 2, load: {type: constant, rate: 3 GHz}"
)


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_module.py").write_text(MODULE)
    (tmp_path / "broken_module.py").write_text("def half(:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("own_module", "broken_module"):
        sys.modules.pop(name, None)


def scenario(*overrides: str) -> Any:
    """Four hosts, four VMs on the first, an hour."""
    base = {
        "name": "own",
        "farm": {
            "hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": 4, "memory": "64 GiB"}]
        },
        "workload": {
            "source": {"type": "constant", "utilisation": "30 %"},
            "vms": 4,
            "sizes": [{"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB"}],
        },
        "run": {"duration": "1 h"},
        "baseline": {"type": "none"},
    }
    return farmsim.run(base, *overrides, allow_code=True)


def control(what: str) -> list[str]:
    return [f"policies.control={{policy: 'own_module:Control', what: {what}}}"]


def part(slot: str, cls: str, what: str, rest: str = "") -> list[str]:
    own = f"{slot}: {{policy: 'own_module:{cls}', what: {what}}}"
    return [f"policies.control={{{', '.join(filter(None, (CONSOLIDATION, rest, own)))}}}"]


def drain(what: str) -> list[str]:
    own = f"{{policy: 'own_module:Empty', what: {what}}}"
    return [f"policies.control={{policy: consolidation, drain: {own}}}"]


def place(what: str) -> list[str]:
    own = f"{{policy: 'own_module:Place', what: {what}}}"
    return [f"policies.initial.placement={own}", "policies.control=none"]


def foresee(what: str) -> list[str]:
    own = f"{{policy: 'own_module:Foresee', what: {what}}}"
    return [
        "policies.control=power_proportional",
        f"policies.power={{wake_ahead: 20 min, forecast: {own}}}",
    ]


def scale(what: str) -> list[str]:
    own = f"{{policy: 'own_module:Scale', what: {what}}}"
    return [f"applications=[{{{APPLICATION}, scaling: {own}}}]", "policies.control=none"]


WRONG: list[tuple[list[str], float, str]] = [
    (control("raises"), 300, "decide failed: KeyError: 'missing'"),
    (control("writes"), 300, "is read-only"),
    (control("exits"), 300, "decide failed: SystemExit: 0"),
    (control("interrupts"), 300, "decide failed: KeyboardInterrupt"),
    (control("recurses"), 300, "decide failed: RecursionError"),
    (control("replaces"), 300, "is read-only"),
    (control("no reason"), 300, "decide failed: TypeError: the reason ''; a reason is a text or"),
    (control("refusals"), 300, "refusals 5; refusals is a list"),
    (control("nan"), 300, "measured and limit are numbers"),
    (control("none"), 300, "decide returned None; decide returns a Plan"),
    (control("wakes twice"), 300, "stands 2 times in wakes; name each host once"),
    (control("sleeps twice"), 600, "stands 2 times in sleeps; name each host once"),
    (control("source"), 300, "the source of vm-1 is row 1, but it is on row 0"),
    (control("float target"), 300, "1.5 in the targets of proposals; a row is a whole number"),
    (control("float row"), 300, "0.5 in the VMs of proposals; a row is a whole number"),
    (control("unknown host"), 300, "row 99 in the targets of proposals; there are rows -1 to 3"),
    (control("moves twice"), 300, "is moved twice in one plan; name each VM once"),
    (control("reason"), 300, "a reason is a string, or Reason(rule, measured, limit)"),
    (control("search"), 300, "the search 3; a search is a Search"),
    (control("tuple"), 300, "(1, 2, 3) in proposals"),
    (control("name"), 300, "'h-1' in sleeps; a row is a whole number"),
    (place("raises"), 0, "place failed: ZeroDivisionError"),
    (place("none"), 0, "place returned None"),
    (place("short"), 0, "0 hosts and 0 searches for 4 VMs"),
    (place("stranger"), 0, "host 77, which is not among the candidates"),
    (place("float"), 0, "hosts of float64; a host is named by its row"),
    (part("overload", "Detector", "raises"), 300, "judge failed: ZeroDivisionError"),
    (part("overload", "Detector", "none"), 300, "judge returned None"),
    (part("overload", "Detector", "weights"), 300, "linear returns None, or 1 weights"),
    (part("overload", "Detector", "shape"), 300, "judge returns two arrays"),
    (part("overload", "Detector", "nan"), 300, "judge returned NaN"),
    (part("selection", "Select", "raises", STATIC), 300, "pick failed: ZeroDivisionError"),
    (part("selection", "Select", "none", STATIC), 300, "pick returned None"),
    (part("selection", "Select", "far", STATIC), 300, "pick returned 99"),
    (drain("raises"), 300, "order failed: ZeroDivisionError"),
    (drain("twice"), 300, "order returned a host twice"),
    (foresee("raises"), 300, "forecast failed: ZeroDivisionError"),
    (foresee("shape"), 300, "forecast returns finite numbers of shape"),
    (scale("raises"), 0, "decide failed: ZeroDivisionError"),
    (scale("none"), 0, "decide returned None; decide returns Wanted"),
]


@pytest.mark.parametrize(("overrides", "time_s", "message"), WRONG)
def test_a_fault_names_policy_time_and_what_would_be_right(
    overrides: list[str], time_s: float, message: str
) -> None:
    with pytest.raises(farmsim.PolicyError) as caught:
        scenario(*overrides)
    told = str(caught.value)
    assert message in told
    assert caught.value.time_s == time_s
    assert f"at {time_s:g} s" in told
    assert isinstance(caught.value, farmsim.InputError)
    traced = " failed" in message or "read-only" in message
    assert ("Traceback" in told) == traced
    if traced:
        assert "own_module.py" in told
        assert "farmsim" not in told.partition("Traceback")[2]


def test_what_a_policy_prints_does_not_mix_with_the_results(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scenario(*control("prints"))
    told = capsys.readouterr()
    assert told.out == ""
    assert "HELLO" in told.err


def test_without_fault_a_policy_of_ones_own_runs() -> None:
    assert scenario(*control("nothing")).value("migrations") == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_module:NoSamples", "it has no samples; a control policy has samples"),
        ("own_module:FailsAtOnce", "failed: KeyError: 'made'"),
        ("own_module:Gone", "module own_module has no 'Gone'; it has Control, NoSamples"),
        ("broken_module:Any", "cannot load broken_module:Any: SyntaxError: invalid syntax"),
        ("no_such_module:Any", "No module named 'no_such_module'; run from the module's directory"),
        (":Any", "write module:Class"),
    ],
)
def test_a_policy_that_cannot_be_made_is_told_before_the_run(name: str, message: str) -> None:
    with pytest.raises(farmsim.InputError) as caught:
        scenario(f"policies.control={{policy: '{name}'}}")
    assert message in str(caught.value)


def test_the_command_line_ends_with_2_and_shows_the_users_lines(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "farm: {hosts: [{name: h, server: dell_r720_e5_2670, count: 4, memory: 64 GiB}]}\n"
        "workload: {source: {type: constant, utilisation: 30 %}, vms: 4, "
        "sizes: [{name: s, vcpus: 1, clock: 2 GHz, memory: 2 GiB}]}\n"
        "run: {duration: 1 h}\n"
        "policies: {control: {policy: 'own_module:Control', what: raises}}\n"
        "baseline: {type: none}\n"
    )
    arguments = ["run", str(path), "--allow-code", "--out", str(tmp_path / "out")]
    assert run_command_line(arguments) == 2
    told = capfd.readouterr().err
    assert "policy own_module:Control at 300 s: decide failed: KeyError: 'missing'" in told
    assert 'return {}["missing"]' in told
    assert "engine.py" not in told
    assert not (tmp_path / "out").exists()
    path.write_text(
        path.read_text().replace("own_module:Control', what: raises", "broken_module:X'")
    )
    assert run_command_line(arguments) == 2
    assert "def half(:" in capfd.readouterr().err


def test_a_broken_plugin_breaks_only_what_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = (
        EntryPoint("overload.mine", "broken_module:Mine", catalogue.ENTRY_POINTS),
        EntryPoint("overload.other", "own_module:MODULE_MISSING", catalogue.ENTRY_POINTS),
        EntryPoint("control.fine", "own_module:Control", catalogue.ENTRY_POINTS),
    )
    monkeypatch.setattr(catalogue, "_installed", lambda: entries)
    assert scenario("policies.control=fine").value("migrations") == 0
    with pytest.warns(catalogue.PluginWarning) as warned:
        ran = [scenario("policies.control=consolidation").value("vms_ran") for _ in range(2)]
    assert ran == [4, 4]
    said = sorted(str(each.message) for each in warned)
    assert len(said) == 2
    assert said[0].startswith("the policy 'overload.mine' of package broken_module:Mine cannot be")
    assert "Traceback" not in said[0]
    with pytest.raises(farmsim.InputError, match=r"'mine' of package .* cannot be loaded: Syntax"):
        scenario("policies.control={policy: consolidation, overload: mine}")
    with pytest.raises(farmsim.InputError, match=r"'other' of package .* AttributeError"):
        scenario("policies.control={policy: consolidation, overload: other}")


def test_plugins_of_no_kind_or_a_taken_name_are_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = (
        EntryPoint("mine", "own_module:Control", catalogue.ENTRY_POINTS),
        EntryPoint("placment.mine", "own_module:Place", catalogue.ENTRY_POINTS),
        EntryPoint("control.consolidation", "own_module:Control", catalogue.ENTRY_POINTS),
        EntryPoint("control.mine", "own_module:Control", catalogue.ENTRY_POINTS),
        EntryPoint("control.mine", "own_module:NoSamples", catalogue.ENTRY_POINTS),
    )
    monkeypatch.setattr(catalogue, "entry_points", lambda **_: entries)
    catalogue._installed.cache_clear()
    with pytest.warns(catalogue.PluginWarning) as warned:
        assert scenario("policies.control=mine").value("migrations") == 0
    catalogue._installed.cache_clear()
    assert len(warned) == 4
    said = " ".join(str(each.message) for each in warned)
    assert "the policy 'placment.mine' of package own_module:Place is of no kind" in said
    assert "'control.consolidation' of package own_module:Control has a name that is taken" in said


def test_a_policy_that_fails_only_in_a_failover_test_is_told_as_its_own(tmp_path: Path) -> None:
    (tmp_path / "own_module.py").write_text(
        MODULE + "\n\ndef late(candidates, vms, calls=[]):\n    calls.append(1)\n"
        "    return 1 / 0 if len(calls) > 1 else [int(candidates.hosts[0])] * len(vms)\n"
    )
    base = {
        "name": "own",
        "farm": {"hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": 2}]},
        "workload": {
            "source": {"type": "constant", "utilisation": "30 %"},
            "vms": 1,
            "sizes": [{"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB"}],
        },
        "policies": {"initial": {"placement": {"policy": "own_module:late"}}, "control": "none"},
        "run": {"duration": "1 h"},
        "baseline": {"type": "none"},
    }
    with pytest.raises(farmsim.PolicyError, match="own_module:late: place failed: ZeroDivision"):
        farmsim.failover(farmsim.Scenario.of(base, allow_code=True))


def test_what_a_function_leaves_without_host_is_listed(tmp_path: Path) -> None:
    (tmp_path / "own_module.py").write_text(
        MODULE + "\n\ndef never(candidates, vms):\n    return Placed([-1] * len(vms), None)\n"
    )
    with pytest.raises(
        farmsim.InputError,
        match=r"the initial placement found no host for 4 VMs of 4: vm-1 \(of 4 hosts\); vm",
    ):
        scenario("policies.initial.placement={policy: 'own_module:never'}")

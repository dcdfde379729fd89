"""The protocol of policies lists what there really is: columns, methods, verbs, defaults."""

import re
from typing import Any, get_type_hints

import numpy as np
import pytest

import farmsim
from farmsim.policies import protocol
from farmsim.policies.interface.plan import Plan
from farmsim.policies.user_policies.kinds import KINDS

HOSTS, VMS = 3, 5
SHAPES = r"\([\w, ]+\)|method|number|flag|columns|sequence|bank|dict|rules|reserve|states"
ROW = re.compile(rf"^(\w+) +({SHAPES}) +(\w+) +(\S+) +\S")
LENGTHS = {"(hosts)": HOSTS, "(VMs)": VMS, "(candidates)": HOSTS}
SECTIONS = {
    "hosts": "Columns of ``view.hosts``",
    "vms": "Columns of ``view.vms``",
    "view": "Members of ``view``",
    "candidates": "Columns of ``candidates`` in a placement",
}


def section(title: str) -> str:
    """Return the part of the docstring below a title."""
    assert protocol.__doc__
    found = re.search(rf"^{re.escape(title)}\n-+\n(.*?)(?=^\S[^\n]*\n--|\Z)", protocol.__doc__,
                      re.MULTILINE | re.DOTALL)  # fmt: skip
    assert found, title
    return found[1]


def rows(title: str) -> dict[str, tuple[str, str]]:
    """Return shape and type that the docstring gives for each name of a section."""
    found = (ROW.match(line) for line in section(title).splitlines())
    return {each[1]: (each[2], each[3]) for each in found if each}


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What a placement and a control policy are shown."""
    shown: dict[str, Any] = {}

    def look(view: protocol.FarmView) -> Plan:
        shown.update(view=view, hosts=view.hosts, vms=view.vms)
        return Plan()

    def place(candidates: Any, vms: Any) -> Any:
        shown["candidates"] = candidates
        for vm in vms.tolist():
            candidates.take(vm, 0)
        return np.zeros(len(vms), np.int64)

    farmsim.run(
        {
            "farm": {"hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": HOSTS}]},
            "workload": {
                "source": {"type": "constant", "utilisation": "30 %"},
                "vms": VMS,
                "sizes": [{"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB"}],
            },
            "run": {"duration": "10 min"},
            "policies": {"control": look, "initial": {"placement": place}},
            "baseline": {"type": "none"},
        }
    )
    return shown


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


@pytest.mark.parametrize("part", ["hosts", "vms", "view"])
def test_every_member_of_the_view_is_listed(part: str, seen: dict[str, Any]) -> None:
    assert set(rows(SECTIONS[part])) == public(seen[part])


def test_every_column_of_candidates_is_listed(seen: dict[str, Any]) -> None:
    candidates = seen["candidates"]
    columns = {
        name for name in public(candidates) if isinstance(getattr(candidates, name), np.ndarray)
    }
    assert columns == {name for name in rows(SECTIONS["candidates"]) if "tie" not in name}
    text = section(SECTIONS["candidates"])
    for name in re.findall(r"``(\w+)\(", text):
        assert callable(getattr(candidates, name))


@pytest.mark.parametrize("part", sorted(SECTIONS))
def test_shapes_and_types_are_those_listed(part: str, seen: dict[str, Any]) -> None:
    for name, (shape, dtype) in rows(SECTIONS[part]).items():
        value = getattr(seen[part], name)
        if isinstance(value, np.ndarray):
            assert (name, str(value.dtype)) == (name, dtype)
            assert (name, len(value)) == (name, LENGTHS[shape])
            assert not value.flags.writeable or name not in vars(seen[part])
        elif shape == "method":
            assert callable(value), name
        elif dtype == "float":
            assert isinstance(value, float), name


def test_kinds_have_the_methods_and_defaults_listed() -> None:
    rows_of_one_line = re.sub(r"\n {20,}", " ", section("Kinds"))
    listed = re.findall(r"^(\w+) +(\w+)\(([\w, ]+)\) +(\S.*)$", rows_of_one_line, re.MULTILINE)
    assert [row[0] for row in listed] == list(KINDS)
    for name, method, parameters, attributes in listed:
        kind = KINDS[name]
        assert method == kind.method
        assert tuple(parameters.split(", ")) == kind.parameters
        for attribute, about in kind.attributes.items():
            assert attribute in attributes
            shown = f'"{about.default}"' if isinstance(about.default, str) else str(about.default)
            assert f"({shown.removesuffix('.0')})" in attributes


def test_the_verbs_of_a_plan_are_those_listed() -> None:
    verbs = re.findall(r"^plan\.(\w+)\(([\w, ]+)\)", section("Methods of a :class:`Plan`"), re.M)
    assert {name for name, _ in verbs} == public(Plan) - set(Plan.__dataclass_fields__)
    for name, parameters in verbs:
        assert set(parameters.split(", ")) <= set(get_type_hints(getattr(Plan, name)))


def test_what_is_named_can_be_imported() -> None:
    assert protocol.__doc__
    named = set(re.findall(r":(?:class|func):`(\w+)`", protocol.__doc__))
    assert named <= set(protocol.__all__)
    assert all(hasattr(protocol, name) for name in protocol.__all__)

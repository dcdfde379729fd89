"""Dataclasses that are generated on use, against those of the standard library."""

import ast
import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from farmsim.models.base.lazy_dataclass import dataclass
from farmsim.models.base.parameters import parameter, parameters_of

ROOT = Path(__file__).parents[2]


class _Plain:
    """A base whose fields are not its own."""

    low: float = parameter("The lowest.", 1.5, gt=0)
    names: tuple[str, ...] = ()
    made: list[int] = dataclasses.field(default_factory=list, compare=False)

    def __post_init__(self) -> None:
        if self.low < 0:
            raise ValueError("below zero")


class _Longer:
    """An heir with one more field."""

    high: float = 9.0


class _Named:
    count: int
    label: str = "x"

    def __repr__(self) -> str:
        return f"<{self.label}>"


def _body(cls: type) -> dict[str, Any]:
    """Return what a class defines."""
    return {
        name: each for name, each in vars(cls).items() if name not in ("__dict__", "__weakref__")
    }


def _copies(made: Any, **options: bool) -> list[Any]:
    """Return copies of the classes above, as dataclasses of one kind."""
    plain = made(**options)(type("Plain", (), _body(_Plain)))
    longer = made(**options)(type("Longer", (plain,), _body(_Longer)))
    named = made(**options)(type("Named", (), _body(_Named)))
    return [plain, longer, named, type("Heir", (longer,), {})]


OPTIONS = [{}, {"frozen": True}, {"frozen": True, "eq": False}, {"frozen": True, "repr": False}]
VALUES: list[tuple[int, tuple[Any, ...]]] = [
    (0, ()), (0, (2.0, ("a",))), (1, (2.0, ("a",), [3], 4.0)), (2, (1,)), (2, (1, "b")), (3, ()),
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_objects_are_those_of_the_standard_library(options: dict[str, bool]) -> None:
    lazy, eager = _copies(dataclass, **options), _copies(dataclasses.dataclass, **options)
    for row, values in VALUES:
        one, other = lazy[row](*values), eager[row](*values)
        assert repr(one) == repr(other) or options.get("repr") is False
        assert vars(one) == vars(other)
        same = lazy[row](*values)
        assert (one == same) == (other == eager[row](*values))
        assert copy.deepcopy(one).__dict__ == vars(one)
        if options.get("frozen"):
            assert (hash(one) == hash(same)) == (options.get("eq") is not False)
            with pytest.raises(dataclasses.FrozenInstanceError):
                one.low = 3.0
    for one, other in zip(lazy, eager, strict=True):
        assert str(inspect.signature(one)) == str(inspect.signature(other))
        assert one.__match_args__ == other.__match_args__
        assert one.__doc__ == other.__doc__


def test_defaults_are_attributes_before_and_after() -> None:
    plain, longer, named, _ = _copies(dataclass)
    assert (plain.low, longer.low, longer.high, named.label) == (1.5, 1.5, 9.0, "x")
    assert not hasattr(plain, "made")
    assert not hasattr(named, "count")
    longer()
    assert (plain.low, longer.low, longer.high) == (1.5, 1.5, 9.0)
    assert not hasattr(plain, "made")


@pytest.mark.parametrize("use", [dataclasses.fields, dataclasses.is_dataclass, parameters_of])
def test_asking_for_fields_generates_a_class_and_those_above(use: Any) -> None:
    lazy, eager = _copies(dataclass), _copies(dataclasses.dataclass)
    assert str(use(lazy[3])) == str(use(eager[3])) or use is dataclasses.fields
    for one, other in zip(lazy[:2], eager[:2], strict=True):
        assert inspect.signature(one) == inspect.signature(other)


def test_errors_are_those_of_the_standard_library() -> None:
    for made in (dataclass, dataclasses.dataclass):
        plain, longer, named, _ = _copies(made, frozen=True)
        with pytest.raises(ValueError, match="below zero"):
            longer(-1.0)
        with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'count'"):
            named()
        with pytest.raises(TypeError, match="unexpected keyword argument 'lower'"):
            plain(lower=1)
        changed = dataclasses.replace(plain(), low=2.0)
        assert changed.low == 2.0


@dataclass(frozen=True)
class Stored:
    """One that pickle finds again."""

    value: int = 1


def test_an_object_goes_through_pickle() -> None:
    assert pickle.loads(pickle.dumps(Stored(3))) == Stored(3)


def test_help_on_a_public_class_shows_its_parameters() -> None:
    program = "import farmsim, inspect; print(inspect.signature(farmsim.Levels))"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("(path: str"), shown


def test_with_slots_and_with_an_init_of_its_own_nothing_waits() -> None:
    made: Any = dataclass(slots=True)(type("Slotted", (), {"__annotations__": {"x": int}}))
    assert made(3).x == 3
    assert made.__slots__ == ("x",)

    @dataclass
    class Own:
        x: int

        def __init__(self) -> None:
            self.x = 7

    assert Own().x == 7


def test_every_dataclass_of_farmsim_waits() -> None:
    for floor in ("models", "policies", "sim", "scenarios", "analysis"):
        for path in (ROOT / floor).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "dataclasses":
                    names = {each.name for each in node.names}
                    assert "dataclass" not in names or path.name == "lazy_dataclass.py", path

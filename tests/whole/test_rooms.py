"""The house: rooms in one order, no circle of imports, rooms and files of a readable size."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILES_IN_ROOM, LINES_IN_FILE = 12, 450
PREFIXES = ("build_", "spec_", "check_")


@pytest.fixture(scope="module")
def graph() -> Iterator[Any]:
    """What reads the imports of the tree, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        yield import_module("imports")


@pytest.fixture(scope="module")
def house(graph: Any) -> Any:
    """The command that draws the map, as a module."""
    return import_module("architecture")


@pytest.fixture(scope="module")
def arrows(graph: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = graph.file_arrows()
    return found


def room_of(file: str) -> str:
    return Path(file).parent.as_posix()


def test_the_page_lists_each_room_once(graph: Any, house: Any, arrows: dict[str, set[str]]) -> None:
    order = house.order_of_rooms()
    assert sorted(order) == house.rooms_of(arrows)
    floors = [graph.FLOORS.index(room.split("/")[0]) for room in order]
    assert floors == sorted(floors)


def test_no_circle_between_files(graph: Any, arrows: dict[str, set[str]]) -> None:
    """Imports inside functions and those for type checkers count as all others."""
    assert graph.cycles(arrows) == []


def test_no_circle_between_rooms(graph: Any, arrows: dict[str, set[str]]) -> None:
    assert graph.cycles(graph.room_arrows(arrows)) == []


def test_a_file_imports_only_from_rooms_below_its_own(
    house: Any, arrows: dict[str, set[str]]
) -> None:
    height = {room: place for place, room in enumerate(house.order_of_rooms())}
    assert {
        (file, target)
        for file, targets in arrows.items()
        for target in targets
        if height[room_of(target)] > height[room_of(file)]
    } == set()


def test_page_and_picture_are_what_the_command_gives(house: Any) -> None:
    assert house.write(check=True) == [], "run python docs/architecture.py"


def test_the_picture_shows_each_room_and_arrow_of_a_floor(house: Any) -> None:
    order, between = house.rooms_and_arrows()
    inside = [
        (room, target)
        for room in order
        for target in between[room]
        if room.split("/")[0] == target.split("/")[0]
    ]
    drawn = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    assert drawn.count("<path d=") == len(inside) + 1  # and the head of all arrows
    assert drawn.count("<g>") == len(order)


def test_the_page_names_files_and_functions_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = re.findall(r"`((?:\w+/)+)(\w+\.py)?`(?:\s`([A-Za-z_.]+)`)?", text)
    assert len(named) > 60
    for folder, name, function in named:
        path = ROOT / folder / name
        assert path.exists(), path
        if function:
            assert function in _defined(ast.parse(path.read_text("utf-8"))), (path, function)


def _defined(tree: ast.Module) -> set[str]:
    """Return the functions and classes of a module, and the methods of its classes."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            found |= {f"{node.name}.{each.name}" for each in methods}
    return found


def test_rooms_hold_at_most_a_dozen_files(arrows: dict[str, set[str]]) -> None:
    counts = Counter(room_of(file) for file in arrows if Path(file).name != "__init__.py")
    assert {room for room, count in counts.items() if count > FILES_IN_ROOM} == set()


def test_rooms_of_tests_hold_at_most_a_dozen_files() -> None:
    counts = Counter(path.parent.name for path in (ROOT / "tests").rglob("*.py"))
    assert {room for room, count in counts.items() if count > FILES_IN_ROOM} == set()


def test_no_test_file_imports_from_another() -> None:
    """What several of them need stands in ``tests/support``."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("test_"), path


def test_files_have_a_readable_length(arrows: dict[str, set[str]]) -> None:
    def lines(file: str) -> int:
        return len((ROOT / file).read_text("utf-8").splitlines())

    assert {file for file in arrows if lines(file) > LINES_IN_FILE} == set()


def test_no_file_repeats_its_room_in_its_name(arrows: dict[str, set[str]]) -> None:
    assert {file for file in arrows if Path(file).name.startswith(PREFIXES)} == set()


def test_each_room_says_in_one_line_what_it_holds(arrows: dict[str, set[str]]) -> None:
    for room in sorted({room_of(file) for file in arrows}):
        text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text("utf-8")))
        first, _, rest = (text or "").partition("\n")
        assert re.fullmatch(r".{10,98}[^.]\.", first), room
        assert room == "farmsim" or not rest, room


def test_what_the_tests_above_rest_on(graph: Any, tmp_path: Path) -> None:
    """A tree of two circles, one inside a function and one for a type checker only.

    A class that is named by a text counts as an import.
    """
    texts = {
        "models/a/one.py": "if TYPE_CHECKING:\n    from ..b import two",
        "models/b/two.py": "def f() -> None:\n    from ..a.one import g",
        "models/b/three.py": "import farmsim.sim.four\nimport ast",
        "sim/four.py": "from ..models.b import three, two",
        "models/b/five.py": "KINDS = {'x': 'two:Two', 'y': 'six:Six', 'z': 'a: B'}",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = graph.file_arrows(tmp_path)
    assert found == {
        "models/a/one.py": {"models/b/two.py"},
        "models/b/two.py": {"models/a/one.py"},
        "models/b/three.py": {"sim/four.py"},
        "sim/four.py": {"models/b/three.py", "models/b/two.py"},
        "models/b/five.py": {"models/b/two.py"},
    }
    assert graph.cycles(found) == [
        ["models/a/one.py", "models/b/two.py"],
        ["models/b/three.py", "sim/four.py"],
    ]
    assert graph.reduced({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {
        "a": {"b"}, "b": {"c"}, "c": set(),
    }  # fmt: skip

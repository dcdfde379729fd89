"""Which file of the package imports which, function-level and typing-only imports included.

So are classes that are named by a text, such as ``control.balance:Balance``, and imported later.

Paths are relative to the root of the repository; a room is a folder that holds Python files.

Room and floor as in docs/architecture.md: a room imports only from those below it. These functions
are used by the page of the architecture and by the tests that hold it.
"""

import ast
import os
import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = ("models", "policies", "sim", "scenarios", "analysis", "farmsim")
"""From the bottom up."""
NAMED_CLASS = re.compile(r"[a-z_.]+:[A-Z]\w*")
Arrows = dict[str, set[str]]
"""For each name the names that it imports."""


def files(root: Path = ROOT) -> list[Path]:
    """Return the Python files of the package, sorted; links to the floors are not followed."""
    found = []
    for floor in FLOORS:
        for folder, _, names in os.walk(root / floor):  # does not follow links
            here = Path(folder).relative_to(root)
            found += [here / name for name in names if name.endswith(".py")]
    return sorted(found)


def room_of(file: str) -> str:
    """Return the room of a file, such as ``models/base``."""
    return Path(file).parent.as_posix()


def file_arrows(root: Path = ROOT) -> Arrows:
    """Return for each file the files that it imports.

    A file that imports a package points at the package's ``__init__.py``; itself is left out.
    """
    paths = files(root)
    modules = {_module(path): path.as_posix() for path in paths}
    return {
        path.as_posix(): {
            modules[target]
            for target in _imported(root / path, _module(path), modules)
            if modules[target] != path.as_posix()
        }
        for path in paths
    }


def room_arrows(arrows: Mapping[str, Set[str]]) -> Arrows:
    """Return for each room the other rooms that its files import from."""
    found: Arrows = {room_of(file): set() for file in arrows}
    for file, targets in arrows.items():
        found[room_of(file)] |= {room_of(each) for each in targets} - {room_of(file)}
    return found


def _module(path: Path) -> str:
    """Return the dotted name of a file: ``farmsim.models.base.arrays``."""
    parts = [*path.with_suffix("").parts]
    parts = parts if parts[0] == "farmsim" else ["farmsim", *parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, module: str, known: Mapping[str, str]) -> Iterator[str]:
    """Yield each module of the package that a file names in any import statement."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and NAMED_CLASS.fullmatch(str(node.value)):
            named = f"{package}.{str(node.value).partition(':')[0]}"
            yield from (each for each in (named,) if each in known)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in known)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parts if node.level else []), *filter(None, [node.module])])
            for each in node.names:
                inner = f"{base}.{each.name}"
                if inner in known or base in known:
                    yield inner if inner in known else base


def cycles(arrows: Mapping[str, Set[str]]) -> list[list[str]]:
    """Return the groups of names that import each other, directly or through others.

    Sorted, each group in the order of names; empty where nothing is in a circle.
    """
    below = {name: _reached(name, arrows) for name in arrows}
    groups = {
        tuple(sorted(each for each in below[name] if name in below[each]))
        for name in arrows
        if name in below[name]
    }
    return [list(each) for each in sorted(groups)]


def reduced(arrows: Mapping[str, Set[str]]) -> Arrows:
    """Return the arrows without those that a way through other names implies.

    That is the transitive reduction. It is unique only without cycles, of which there are none.
    """
    below = {name: _reached(name, arrows) for name in arrows}
    return {
        name: {
            target
            for target in targets
            if not any(target in below[other] for other in targets - {target})
        }
        for name, targets in arrows.items()
    }


def _reached(name: str, arrows: Mapping[str, Set[str]]) -> set[str]:
    """Return what a name imports directly or through others; itself only in a cycle."""
    found: set[str] = set()
    waiting = list(arrows[name])
    while waiting:
        found.add(last := waiting.pop())
        waiting += arrows[last] - found
    return found

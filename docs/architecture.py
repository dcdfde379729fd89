"""Draw the map of the house: ``python docs/architecture.py``; ``--check`` only compares.

The order of the rooms stands in the tables of architecture.md, written by hand, from the bottom
up. This command fills in what each room holds (the docstring of its ``__init__.py``) and from
where it imports, and draws the picture, architecture.svg. Only arrows that no chain of other
arrows implies are shown.
"""

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from imports import FLOORS, ROOT, Arrows, file_arrows, reduced, room_arrows

HERE = Path(__file__).parent
PAGE, PICTURE = HERE / "architecture.md", HERE / "architecture.svg"
BEGIN, END = "<!-- rooms: written by docs/architecture.py -->", "<!-- end of rooms -->"
ROW = re.compile(r"^\| \[?`([a-z_/]+)/`", re.MULTILINE)
COLOURS = dict(
    zip(FLOORS, ("#dceaf7", "#e1f2dc", "#fdeccf", "#f7dfe4", "#e6e0f3", "#e9e9e9"), strict=True)
)
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, LABEL, MARGIN = 124, 44, 30, 12, 116, 10
"""Measures of the picture in pixels."""


def order_of_rooms() -> list[str]:
    """Return the rooms from the bottom up, as the page lists them."""
    return ROW.findall(_between(PAGE.read_text("utf-8")))


def rooms_of(arrows: Mapping[str, object]) -> list[str]:
    """Return the folders that hold more than an ``__init__.py``, sorted."""
    return sorted({str(Path(file).parent) for file in arrows if Path(file).name != "__init__.py"})


def summary_of(room: str) -> str:
    """Return the first line of the docstring of a room's ``__init__.py``; empty without one."""
    tree = ast.parse((ROOT / room / "__init__.py").read_text("utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def rooms_and_arrows() -> tuple[list[str], Arrows]:
    """Return the rooms in their order and, for each, the rooms that it imports from.

    Raises ValueError if the page and the tree do not have the same rooms.

    Arrows that a chain of others implies are left out, so that the picture stays readable.
    """
    arrows, order = file_arrows(), order_of_rooms()
    found = rooms_of(arrows)
    if missing := sorted(set(found) ^ set(order)):
        raise ValueError(f"rooms that only the page or only the tree has: {', '.join(missing)}")
    between = room_arrows(arrows)
    return order, reduced({room: between[room] & set(found) for room in found})


def table(order: Sequence[str], arrows: Arrows) -> str:
    """Return the tables of the page, one for each floor.

    ``order`` is from the bottom up; a cell is empty for a room that imports from none.
    """
    parts = []
    for floor in FLOORS:
        rows = [
            f"| [`{room}/`](../{room}) | {summary_of(room)} | {_targets(room, order, arrows)} |"
            for room in order
            if room.split("/")[0] == floor
        ]
        parts.append("\n".join(["| room | holds | imports from |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _targets(room: str, order: Sequence[str], arrows: Arrows) -> str:
    """Return the rooms that a room imports from, in their order, as a cell."""
    return ", ".join(f"`{each}`" for each in sorted(arrows[room], key=order.index))


def _between(text: str) -> str:
    """Return the part of the page that the command writes."""
    return text.partition(BEGIN)[2].partition(END)[0]


def page(order: Sequence[str], arrows: Arrows) -> str:
    """Return the page with its tables filled in again; all other text stays."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table(order, arrows)}\n{END}{after}"


def columns_of(rooms: Sequence[str], arrows: Arrows) -> list[list[str]]:
    """Return the rooms of one floor in columns; each arrow leads to a column further left.

    A room stands in the first column that its imports allow, one without imports of its floor
    just before the first that imports it.

    ``rooms`` are those of the floor in their order, from the bottom up. Within a column rooms stand
    near those that they import from.
    """
    inside = {room: arrows[room] & set(rooms) for room in rooms}
    column: dict[str, int] = {}
    for room in rooms:  # bottom-up: what a room imports has its column already
        column[room] = max((column[each] + 1 for each in inside[room]), default=0)
    for room in rooms:
        users = [column[each] for each in rooms if room in inside[each]]
        if not inside[room] and users:
            column[room] = min(users) - 1
    numbers = range(max(column.values()) + 1)
    found = [[room for room in rooms if column[room] == number] for number in numbers]
    rank: dict[str, float] = {}
    for stack in found:
        stack.sort(key=lambda room: _mean([rank[each] for each in inside[room]]))
        rank |= {room: place - (len(stack) - 1) / 2 for place, room in enumerate(stack)}
    return found


def _mean(values: Sequence[float]) -> float:
    """Return the mean of some values; 0 of none."""
    return sum(values) / len(values) if values else 0.0


def picture(order: Sequence[str], arrows: Arrows) -> str:
    """Return the picture as SVG: a band for each floor, arrows inside the floors.

    The upper floors stand above. Arrows between floors are left out: each floor may import from all
    below it. Measures are in pixels.
    """
    drawn: list[str] = []
    top, width = MARGIN, 0
    for floor in reversed(FLOORS):
        columns = columns_of([each for each in order if each.split("/")[0] == floor], arrows)
        rows = max(map(len, columns))
        height = rows * (BOX_HEIGHT + GAP_Y) + GAP_Y
        drawn.append(_band(floor, top, height))
        drawn += _boxes(columns, arrows, top + height / 2)
        width = max(width, LABEL + len(columns) * (BOX_WIDTH + GAP_X) + MARGIN)
        top += height + MARGIN
    return "\n".join([_head(width, top), *drawn, "</svg>", ""]).replace("WIDTH", f"{width - 20}")


def _head(width: int, height: int) -> str:
    """Return the beginning of an SVG of a size in pixels: title, head of arrows, background."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="14">\n'
        "<title>Floors and rooms of farmsim, and who imports whom</title>\n"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>\n'
        '<rect width="100%" height="100%" fill="white"/>'
    )


def _band(floor: str, top: float, height: float) -> str:
    """Draw the background of a floor; the width is filled in when all floors are known."""
    return (
        f'<rect x="{MARGIN}" y="{top:g}" width="WIDTH" height="{height:g}" rx="6" '
        f'fill="{COLOURS[floor]}"/>\n'
        f'<text x="{MARGIN + 10}" y="{top + height / 2 + 5:g}" font-weight="bold" '
        f'font-size="16">{floor}/</text>'
    )


def _boxes(columns: Sequence[Sequence[str]], arrows: Arrows, middle: float) -> list[str]:
    """Draw the rooms of a floor around the line ``middle``, arrows first, below the boxes."""
    at = {
        room: (
            LABEL + number * (BOX_WIDTH + GAP_X),
            middle + (place - len(stack) / 2) * (BOX_HEIGHT + GAP_Y) + GAP_Y / 2,
        )
        for number, stack in enumerate(columns)
        for place, room in enumerate(stack)
    }
    lines = [
        _arrow(at[room], at[target])
        for room in at
        for target in sorted(arrows[room])
        if target in at
    ]
    return lines + [_box(room, *place) for room, place in at.items()]


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Draw an arrow from the left of an importing box to the right of the one imported."""
    x, y = start[0], start[1] + BOX_HEIGHT / 2
    x2, y2 = end[0] + BOX_WIDTH, end[1] + BOX_HEIGHT / 2
    half = GAP_X / 2
    return (
        f'<path d="M{x:g},{y:g} C{x - half:g},{y:g} {x2 + half:g},{y2:g} {x2:g},{y2:g}" '
        'fill="none" stroke="#555" marker-end="url(#head)"/>'
    )


def _box(room: str, x: float, y: float) -> str:
    """Draw a room, with what it holds as a tooltip."""
    lines = _lines(room.partition("/")[2] or f"{room}/*.py")
    middle = x + BOX_WIDTH / 2
    first = y + BOX_HEIGHT / 2 + 5 - 8 * (len(lines) - 1)
    texts = "".join(
        f'<text x="{middle:g}" y="{first + 16 * number:g}" text-anchor="middle">{line}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<g><title>{escape(summary_of(room))}</title><rect x="{x:g}" y="{y:g}" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="4" fill="white" stroke="#555"/>{texts}</g>'
    )


def _lines(name: str) -> list[str]:
    """Break a name that is wider than a box after its first ``/`` or ``_``."""
    if len(name) <= 15:
        return [name]
    place = min(name.find(each) % 100 for each in "/_") + 1
    return [name[:place], name[place:]]


def write(check: bool = False) -> list[str]:
    """Write page and picture where they differ, or with ``check`` only name those.

    Return the names of the files that differ from what is there.
    """
    order, arrows = rooms_and_arrows()
    stale = []
    for target, text in ((PAGE, page(order, arrows)), (PICTURE, picture(order, arrows))):
        if not target.exists() or target.read_text("utf-8") != text:
            stale.append(target.name)
            if not check:
                target.write_text(text, "utf-8")
    return stale


if __name__ == "__main__":
    checking = "--check" in sys.argv[1:]
    differing = write(checking)
    sys.stdout.writelines(f"{'stale' if checking else 'wrote'}: docs/{n}\n" for n in differing)
    sys.exit(1 if checking and differing else 0)

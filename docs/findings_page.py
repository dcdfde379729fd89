"""The page of findings: every code that an import can tell, read from the code that makes it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pages import page

ROOT = Path(__file__).parents[1]
ROOMS = (
    "scenarios/inventory", "scenarios/inventory_files", "scenarios/inventory_platforms",
    "scenarios/inventory_formats", "scenarios/importing", "analysis/planning",
)  # fmt: skip
_CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_ORDER = ("error", "warning", "info")


class Told(NamedTuple):
    """One finding: its code, how much it matters, what it says, and what it does to answers."""

    code: str
    severity: str
    message: str
    effect: str


def findings() -> str:
    """Return the page: a table of all codes, by name."""
    found: dict[str, Told] = {}
    for told in _all():
        known = found.get(told.code)
        # A code that several places tell is described by the one that says most of it.
        if known is None or len(told.effect) + len(told.message) > len(
            known.effect + known.message
        ):
            found[told.code] = told
    rows = [
        f"| `{each.code}` | {each.severity} | {each.message} | {each.effect} |"
        for each in sorted(found.values())
        if each.message or each.effect
    ]
    return page(
        "Findings of an import",
        "What `farmsim import` can find in the data, in `import.json` and on `import.html`. A "
        "finding changes the exit code only with `--strict`: 1 from a warning on. … stands for "
        "numbers and names. [Import an inventory](../import.md) explains the command.",
        "\n".join(
            ["| code | severity | what is so | effect on answers |", "|---|---|---|---|", *rows]
        ),
    )


def _all() -> Iterator[Told]:
    """Yield what each place in the code tells."""
    for room in ROOMS:
        for path in sorted((ROOT / room).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and node.args and (code := _code(node.args[0])):
                    yield _told(code, node)


def _code(node: ast.expr) -> str:
    """Return the code that an expression is; empty for any other."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def _told(code: str, call: ast.Call) -> Told:
    """Return what a call tells: a Finding, or a function that makes one of its last arguments."""
    if isinstance(call.func, ast.Name) and call.func.id == "Finding":
        severity, _, message, *rest = call.args[1:]
        effect = _text(rest[0]) if rest else ""
        return Told(code, _severity(severity), _text(message), effect)
    texts = [text for each in call.args[1:] if (text := _text(each)) not in ("", "…")]
    message, effect = (texts or [""])[0], texts[1] if len(texts) > 1 else ""
    return Told(code, "warning", message, effect)


def _severity(node: ast.expr) -> str:
    """Return a severity, or both where the data decide."""
    if isinstance(node, ast.IfExp):
        both = {_severity(node.body), _severity(node.orelse)}
        return " or ".join(sorted(both, key=_ORDER.index))
    return node.attr.lower() if isinstance(node, ast.Attribute) else "warning"


def _text(node: ast.expr) -> str:
    """Return a text with … for each value that is put into it."""
    if isinstance(node, ast.Constant):
        text = node.value if isinstance(node.value, str) else ""
    elif isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.Constant) else "…" for each in node.values]
        text = "".join(str(part) for part in parts)
    elif isinstance(node, ast.IfExp):
        both = dict.fromkeys(filter(None, (_text(node.body), _text(node.orelse))))
        text = "; or: ".join(both)
    elif isinstance(node, ast.BinOp):
        text = _text(node.left) + _text(node.right)
    else:
        text = "…"
    return re.sub(r"…(\s*…)+", "…", text.replace("|", "\\|")).strip()

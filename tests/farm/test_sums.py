"""No built-in ``sum`` of floats: Python 3.12 and later compensate it, 3.11 does not."""

import ast
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from farmsim.models.base.arrays import DOT_BLOCK, added, dot

ROOT = Path(__file__).parents[2]
FOLDERS = ("models", "policies", "sim", "scenarios", "analysis")
WHOLE_CALLS = {"len", "bool", "int", "isinstance", "any", "all"}
WHOLE_NAMES = {
    "count", "file_size", "hosts", "hosts_missing", "in_service", "moved", "moves", "same_memory",
    "size_bytes", "vcpus",
}  # fmt: skip
"""Attributes that are whole numbers everywhere in the package."""
WHOLE_SUMS = {
    "sum(lines)": "scenarios/traces/per_vm_files.py",  # lines of files
    "sum(outcomes.values())": "analysis/report/vm_history.py",  # a Counter
    "sum((assign(vm, set()) for vm in range(len(left))))": "models/rules/conflicts.py",  # bools
    "sum((is_sized(host) for host in inventory.hosts))": "scenarios/importing/import_record.py",
    "sum(vcpus.values())": "scenarios/inventory/cpu_estimates.py",
    "sum(map(len, self._places[kind].values()))": "scenarios/inventory/identity.py",
    "sum(widths.values())": "scenarios/inventory_files/tables.py",  # a Counter
    "sum((texts[int(at)] for at in shared if int(at) < len(texts)))": (
        "scenarios/inventory_files/workbooks.py"  # lengths of texts
    ),
    "sum((off_steps(times, step_s, origin) for times, _ in at.values()))": (
        "scenarios/inventory_formats/vrops.py"
    ),
    "sum(unknown.values())": "scenarios/inventory_platforms/prometheus.py",  # a Counter
    "sum((each for each in known))": "analysis/size_study/size_text.py",  # numbers of hosts
    "sum(counts.values())": "analysis/statements/run_warnings.py",  # lengths
}


def is_whole(node: ast.expr) -> bool:
    """Whether an expression is a whole number by how it is written."""
    match node:
        case ast.Compare() | ast.Constant(value=int()):
            return True
        case ast.Call(func=ast.Name(id=name)) | ast.Attribute(attr=name):
            return name in WHOLE_CALLS | WHOLE_NAMES
        case ast.BoolOp(values=values):
            return all(is_whole(each) for each in values)
        case ast.GeneratorExp(elt=each) | ast.ListComp(elt=each):
            return is_whole(each)
    return False


def doubtful(text: str) -> Iterator[str]:
    """Yield the built-in sums of a module that may be of floats."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name(id="sum"), args=args):
                if not is_whole(args[0]):
                    yield ast.unparse(node)
            case ast.Attribute(value=ast.Name(id="math"), attr="sumprod"):
                yield ast.unparse(node)


def test_the_package_adds_floats_in_one_way_on_every_python() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {each}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for each in doubtful(path.read_text("utf-8"))
        if WHOLE_SUMS.get(each) != str(path.relative_to(ROOT))
    ]
    assert not found, "use models.arrays.added for floats"


@pytest.mark.parametrize("text", ["sum(x)", "sum([a.watts for a in b])", "sum((a, b), 0.0)"])
def test_a_new_sum_of_floats_is_found(text: str) -> None:
    assert list(doubtful(text)) == [text]


@pytest.mark.parametrize("text", ["sum(len(a) for a in b)", "sum(a.count for a in b)"])
def test_a_sum_of_whole_numbers_is_let_be(text: str) -> None:
    assert not list(doubtful(text))


def test_added_rounds_after_each_number() -> None:
    values = [0.1] * 10
    assert added(values) == 0.9999999999999999  # sum() gives this on 3.11 and 1.0 from 3.12 on
    assert added(values) != math.fsum(values)
    assert added([]) == 0.0
    assert added(iter([1, 2.5])) == 3.5


@pytest.mark.parametrize("count", [0, 1, 800, DOT_BLOCK])
def test_products_are_added_up_as_numpy_does_in_one_thread(count: int) -> None:
    first, second = np.random.default_rng(count).random((2, count))
    assert dot(first, second) == float(first @ second)


def test_many_products_are_added_up_in_blocks() -> None:
    first, second = np.random.default_rng(3).random((2, 2 * DOT_BLOCK + 5))
    blocks = [slice(0, DOT_BLOCK), slice(DOT_BLOCK, 2 * DOT_BLOCK), slice(2 * DOT_BLOCK, None)]
    assert dot(first, second) == added(float(first[at] @ second[at]) for at in blocks)

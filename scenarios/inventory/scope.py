"""Decide for each VM whether it is in the plan, and why not: each in exactly one class."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from types import MappingProxyType

from ...models.base.arrays import added
from .findings import Finding, Severity
from .inventory import Inventory, Scope, Vm

INCLUDES: Mapping[str, Scope] = MappingProxyType(
    {
        "templates": Scope.TEMPLATE,
        "srm": Scope.SRM_PLACEHOLDER,
        "system": Scope.SYSTEM,
        "orphaned": Scope.ORPHANED,
        "suspended": Scope.SUSPENDED,
        "off": Scope.POWERED_OFF,
        "containers": Scope.CONTAINER,
    }
)
"""Names under which classes that are left out can be moved into the plan."""
WORDS: Mapping[Scope, tuple[str, str]] = {
    Scope.TEMPLATE: ("template", "templates"),
    Scope.SRM_PLACEHOLDER: (
        "placeholder of Site Recovery Manager", "placeholders of Site Recovery Manager",
    ),
    Scope.SYSTEM: ("system VM", "system VMs"),
    Scope.ORPHANED: ("orphaned or inaccessible",) * 2,
    Scope.SUSPENDED: ("suspended",) * 2,
    Scope.POWERED_OFF: ("powered off",) * 2,
    Scope.CONTAINER: ("container", "containers"),
    Scope.SIZE_UNKNOWN: ("of unknown size",) * 2,
    Scope.IN_PLAN: ("in the plan",) * 2,
}  # fmt: skip
"""What people read for each scope: of one VM, and of several."""
_SYSTEM = re.compile(r"vCLS(-.+| ?\(\d+\))?")
_LOST = frozenset(("orphaned", "inaccessible", "invalid"))
_SUSPENDED = frozenset(("suspended", "hibernated", "saved"))
_OFF = frozenset(("poweredoff", "off", "stopped", "shutoff", "shutdown", "halted", "down"))
_ON = frozenset(("poweredon", "on", "running", "started", "active", "up", "paused"))
"""A paused VM keeps its memory."""


def set_scopes(
    inventory: Inventory, system: Sequence[str] = (), include: Collection[Scope] = ()
) -> None:
    """Give each VM of an inventory its class, and add what is said of those left out.

    ``system`` are patterns (``*``, ``?``) of names of VMs that belong to the platform, whatever
    their case. Classes in ``include`` are in the plan.
    """
    patterns = [pattern.casefold() for pattern in system]
    inventory.vms = [_scoped(vm, patterns, include) for vm in inventory.vms]
    inventory.findings.extend(_excluded(inventory))
    inventory.findings.extend(_unknown_states(inventory))
    for pattern in system:
        if not any(fnmatchcase(vm.name.casefold(), pattern.casefold()) for vm in inventory.vms):
            inventory.findings.append(
                Finding(
                    "PATTERN_WITHOUT_VM",
                    Severity.WARNING,
                    f"system {pattern}",
                    "no VM has a name like this",
                    "nothing is left out by it; check the spelling",
                )
            )


def excluded(inventory: Inventory) -> dict[Scope, int]:
    """Return how many VMs of each class are left out, in the order of the classes."""
    counts = Counter(vm.scope for vm in inventory.vms)
    return {each: counts[each] for each in Scope if each is not Scope.IN_PLAN and counts[each]}


def is_on(vm: Vm) -> bool:
    """Whether a VM runs: it is powered on, or the file does not say that it is not."""
    state = _word(vm.power_state)
    return state not in _OFF and state not in _SUSPENDED


def _scoped(vm: Vm, patterns: Sequence[str], include: Collection[Scope]) -> Vm:
    """Return a VM with its class."""
    system = vm.system or _is_system(vm.name, patterns)
    scope = _class(vm, system)
    if scope in include:
        scope = Scope.IN_PLAN
    if scope is vm.scope and system is vm.system:
        return vm
    return replace(vm, scope=scope, system=system)


def _class(vm: Vm, system: bool) -> Scope:
    """Return the class of a VM: the first that applies, in the order of the classes."""
    state = _word(vm.power_state)
    for applies, scope in (
        (vm.template, Scope.TEMPLATE),
        (vm.placeholder, Scope.SRM_PLACEHOLDER),
        (system, Scope.SYSTEM),
        (_word(vm.connection_state) in _LOST, Scope.ORPHANED),
        (state in _SUSPENDED, Scope.SUSPENDED),
        (state in _OFF, Scope.POWERED_OFF),
        (vm.container, Scope.CONTAINER),
    ):
        if applies:
            return scope
    return Scope.IN_PLAN


def _is_system(name: str, patterns: Sequence[str]) -> bool:
    """Whether a VM belongs to the platform by its name."""
    return bool(_SYSTEM.fullmatch(name)) or any(
        fnmatchcase(name.casefold(), pattern) for pattern in patterns
    )


def _word(state: str | None) -> str:
    """Return a state in lower case without blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", state).lower() if state else ""


def _excluded(inventory: Inventory) -> list[Finding]:
    """Return what is said of VMs that are left out, with the disk of those that are off."""
    counts = excluded(inventory)
    if not counts:
        return []
    off = [vm.disk_mib for vm in inventory.vms if vm.scope is Scope.POWERED_OFF]
    disk_gib = added(size for size in off if size is not None) / 1024
    told = counted_words(counts)
    held = f"; those powered off hold {disk_gib:,.0f} GiB of disk" if disk_gib else ""
    return [
        Finding(
            "VM_EXCLUDED",
            Severity.INFO,
            "scope",
            f"{told}{held}",
            f"{len(inventory.in_plan):,} of {len(inventory.vms):,} VMs are in the plan",
        )
    ]


def _unknown_states(inventory: Inventory) -> list[Finding]:
    """Return what is said of VMs in the plan whose power state is not known or not understood."""
    words = {vm.power_state for vm in inventory.vms}
    if words <= {None}:
        return []  # nothing tells it; the reader has said so
    known = _OFF | _SUSPENDED | _ON
    odd = [vm for vm in inventory.in_plan if _word(vm.power_state) not in known]
    if not odd:
        return []
    example = odd[0].power_state or "blank"
    return [
        Finding(
            "POWER_STATE_UNKNOWN",
            Severity.WARNING,
            odd[0].row,
            f"the power state of {len(odd):,} VM{'s' if len(odd) > 1 else ''} is not known, such "
            f"as {example} of {odd[0].key}",
            "they are taken as powered on",
            tuple(vm.key for vm in odd),
        )
    ]


def counted_words(counts: Mapping[Scope, int]) -> str:
    """Return how many VMs are of each scope: ``10 templates, 1 system VM and 32 powered off``."""
    parts = [f"{count:,} {WORDS[scope][count != 1]}" for scope, count in counts.items()]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))

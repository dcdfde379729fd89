"""Former names in the scenario language: refused with the current name.

Nothing reads an old name on. Who writes one is told the new one instead of "unknown key", in a
file, in ``--set``, in ``variants`` and in mappings given to the API alike. There are two places to
list what was renamed:

- *Fields and their values* at the class that has them: a :class:`.fields.Part` of the scenario, or
  a dataclass of parameters such as a policy or a migration model. Both may have the attributes

      FORMER_FIELDS: ClassVar = {"old_field": "new_field"}
      FORMER_VALUES: ClassVar = {"new_field": {"old value": "new value"}}

  with keys as a scenario writes them (``class``, not ``request_class``). Classes that inherit keep
  what their bases list. A renamed field whose value was renamed as well is listed in both.
- *All other names*, those of policies, models, metrics, tables and columns, in
  :data:`FORMER_NAMES`, by what messages call them. :func:`no_such` is what to say of a name that
  is not there.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors.suggest import unknown_name

FORMER_NAMES: Final[dict[str, dict[str, str]]] = {
    "column": {
        "price": "penalty",
    },
    "option": {
        "evacuate --wave": "--hosts-per-wave",
        "evacuate --hold": "--maintenance-time",
        "optimum --fill": "--max-utilisation",
        "compare --band": "--overhead-range",
    },
    "metric": {
        "layer_share": "overhead_share",
        "rest_kwh": "powered_down_kwh",
        "energy_not_counted_kwh": "energy_excluded_kwh",
        "rules_broken": "rules_broken_vm_h",
        "work_asked_ghz_h": "work_requested_ghz_h",
        "lateness_mean_s": "shortage_mean_s",
        "lateness_p95_s": "shortage_p95_s",
        "lateness_cost": "unserved_load_penalty",
        "migrations_unconverged": "migrations_not_converged",
    },
    "table": {
        "microscope": "simulated_requests",
    },
    "figure": {
        "move_phases": "migration_phases",
        "sent": "migration_traffic",
        "busiest": "busiest_hosts",
        "links": "link_utilisation",
    },
    "column of rules": {
        "price": "penalty",
    },
    "column of hosts": {
        "rest_kwh": "powered_down_kwh",
    },
    "column of power_events": {
        "rest": "sleep_state",
    },
    "column of migrations": {
        "way": "unblocked_by",
        "reaction": "convergence_action",
    },
    "column of migration_phases": {
        "move": "migration",
    },
    "column of outages": {
        "of": "component",
    },
    "column of availability": {
        "by": "scope",
    },
    "column of application_series": {
        "wanted": "desired",
    },
    "column of applications": {
        "minimum": "min_members",
        "maximum": "max_members",
        "lateness_max_s": "shortage_max_s",
    },
    "column of scaling": {
        "lateness_s": "shortage_s",
    },
    "column of vms": {
        "asked_h": "arrived_h",
        "ran_h": "started_h",
        "wide": "exceeds_numa_node",
    },
    "column of maintenance": {
        "empty_s": "emptied_s",
        "open_s": "reopened_s",
    },
    "column of utilisation_map": {
        "row": "first_host_number",
    },
}
"""New names by old ones, by kind: ``{"control policy": {"old": "new"}, "metric": {…}}``.

The kind is the ``what`` of :func:`no_such`: "metric", "control policy", "migration model", and so
on. For a column it is "column of" and its table.
"""


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown: meaning called now, or which is nearest and which exist.

    ``what`` is a kind of :data:`FORMER_NAMES`, in the singular.
    """
    now = FORMER_NAMES.get(what, {}).get(name)
    return unknown_name(what, name, known) if now is None else f"{what} {_renamed(name, now)}"


def field_now(owner: type, key: str, value: object) -> str:
    """Say what a field that a class does not have is called now; empty if it never had it.

    ``value`` is what was written there: where it was renamed too, both new names are told.
    """
    now = former_fields(owner).get(key)
    if now is None:
        return ""
    instead = former_values(owner).get(now, {}).get(str(value))
    return f"is now called {now}; write {f'{now}: {instead}' if instead else now}"


def value_now(owner: type, key: str, value: object) -> str:
    """Say what a value that a field no longer takes is called now; empty if it never took it."""
    now = former_values(owner).get(key, {}).get(str(value))
    return "" if now is None else _renamed(str(value), now)


def written_as_former(owner: type, key: str, written: Any) -> bool:
    """Whether a field is missing in a mapping only because it stands there by a former name.

    ``written`` is the mapping of the part that ``owner`` reads, ``key`` the name that holds now.
    """
    if not isinstance(written, Mapping):
        return False
    return any(now == key and old in written for old, now in former_fields(owner).items())


def former_fields(owner: type) -> dict[str, str]:
    """Return the new names of a class's fields by the former ones, those of its bases included."""
    return _listed(owner, "FORMER_FIELDS")


def former_values(owner: type) -> dict[str, Mapping[str, str]]:
    """Return by field the new names of its values by the former ones, bases included."""
    return _listed(owner, "FORMER_VALUES")


def _listed(owner: type, attribute: str) -> dict[str, Any]:
    """Return what classes list under an attribute, from the base to the class itself."""
    listed: dict[str, Any] = {}
    for cls in reversed(owner.__mro__):
        listed |= vars(cls).get(attribute, {})
    return listed


def _renamed(old: str, new: str) -> str:
    """Say what a name is called now."""
    return f"{old!r} is now called {new}; write {new}"

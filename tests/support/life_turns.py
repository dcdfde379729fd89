"""Turns of waiting for a host and of being started, for ``test_knobs.py``."""

from typing import Any

from arrival_turns import CROWDED, arrivals

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

MANY = {"path": "arrivals/many.csv"}
"""Forty VMs, two from the start, the others after a minute; they stay for 5 to 18 minutes."""


def crowded(**admission: Any) -> Changes:
    """Return a farm that is too small for those who come, so that some wait."""
    waiting = {f"admission.{key}": value for key, value in admission.items()}
    small = {"farm.hosts": [CROWDED], "policies.initial.unplaced": "reject"}
    return arrivals("table", **MANY) | small | waiting


def provisioned(method: str, **values: Any) -> Changes:
    """Return a farm with room for all, where starts take time."""
    part = {f"provisioning.{key}": value for key, value in values.items()}
    return arrivals("table", **MANY) | {"provisioning.method": method} | part


def life_turns() -> Turns:
    """Return the turns by path."""
    few = {"max_queue": 0, "retries": 1}
    copy = "template_copy"
    return {
        "admission.max_queue": (crowded(), crowded(max_queue=2)),
        "admission.max_wait": (crowded(), crowded(max_wait="10 min")),
        "admission.retries": (crowded(max_queue=0), crowded(**few)),
        "admission.retry_after": (crowded(**few), crowded(**few, retry_after="20 min")),
        "provisioning.method": (provisioned("linked_clone"), provisioned(copy)),
        "provisioning.image": (provisioned(copy), provisioned(copy, image="40 GiB")),
        "provisioning.copy_bandwidth": (
            provisioned(copy),
            provisioned(copy, copy_bandwidth="1 Gbit/s"),
        ),
        "provisioning.boot": (provisioned(copy), provisioned(copy, boot="5 min")),
        "provisioning.starts_per_host": (provisioned(copy), provisioned(copy, starts_per_host=1)),
    }

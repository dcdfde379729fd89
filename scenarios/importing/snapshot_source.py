"""Write the source of load of a farm of which one instant, several, or means are known."""

from collections.abc import Sequence

from ..inventory.inventory import Inventory, Snapshot


def snapshot_source(inventory: Inventory) -> str:
    """Return the source as the language writes it, in one line.

    Of a single snapshot the instant is kept; of several, and of statistics over a period, the mean.
    """
    parts = ["type: snapshot"]
    snapshots = inventory.snapshots
    statistics = any(host.cpu_mean_mhz is not None for host in inventory.hosts)
    if len(snapshots) > 1 or statistics:
        parts.append("recorded: mean")
    elif snapshots and (taken := snapshots[0].taken):
        parts.append(f'at: "{taken:%Y-%m-%d %H:%M}"')
    if any(
        host.cpu_used_mhz is not None or host.cpu_mean_mhz is not None for host in inventory.hosts
    ):
        parts.append("hosts_file: hosts.csv")
    sums = _sums(snapshots)
    if len(sums) > 1:
        parts.append(f"snapshots: [{', '.join(sums)}]")
    return f"{{{', '.join(parts)}}}"


def _sums(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return the sums of snapshots: over VMs where all say that, else over hosts."""
    by_vm = all(each.vm_cpu_mhz is not None for each in snapshots)
    sums = [each.vm_cpu_mhz if by_vm else each.host_cpu_mhz for each in snapshots]
    return [
        f"{{mhz: {mhz:.6g} MHz" + (f', at: "{each.taken:%Y-%m-%d %H:%M}"}}' if each.taken else "}")
        for each, mhz in zip(snapshots, sums, strict=True)
        if mhz is not None
    ]

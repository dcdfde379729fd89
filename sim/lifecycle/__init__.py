"""Lives of VMs: arrival, queue, placement, restart."""

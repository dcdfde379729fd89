"""Life cycle of VMs: arrival, queue, placement, restart."""

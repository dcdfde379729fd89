"""How a host shares its CPU among VMs."""

"""Server, hypervisor and sleep states of a group of hosts, as a scenario writes them."""

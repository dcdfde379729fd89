"""Hypervisor profiles, and their overhead in CPU, memory and licences."""

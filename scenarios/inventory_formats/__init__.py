"""Readers of inventories: RVTools, vROps, Proxmox and others, one file each."""

"""Life cycle of VMs: values, tables and figures."""

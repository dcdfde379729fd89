"""Lives of VMs: values, tables and figures."""

"""What is asked for: demand, arrivals of VMs, applications."""

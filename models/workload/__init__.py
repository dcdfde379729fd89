"""What is requested: demand, arrivals of VMs, applications."""

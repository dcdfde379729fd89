"""An inventory as read from files of any kind: hosts, VMs, rules, series, and what is wrong."""

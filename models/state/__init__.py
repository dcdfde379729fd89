"""The columns of a farm, and additional state per host and VM."""

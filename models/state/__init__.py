"""The columns of a farm and what is kept beside them for each host and VM."""

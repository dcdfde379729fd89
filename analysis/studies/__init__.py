"""Several runs: compare, failover, evacuation, optimum."""

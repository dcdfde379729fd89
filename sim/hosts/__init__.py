"""Power states of hosts, maintenance, starting slots, reserve."""

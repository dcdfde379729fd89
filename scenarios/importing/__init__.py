"""From files to one inventory, and from that to a scenario and its tables."""

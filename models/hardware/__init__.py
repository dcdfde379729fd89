"""What a server is: power, sleep states, DVFS, CPU features, racks, reliability."""

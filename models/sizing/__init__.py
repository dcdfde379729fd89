"""How many hosts: floors, placement, failure cases, headroom, break-even."""

"""Lower bounds for hosts and energy."""

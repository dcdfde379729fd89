"""User policies: required interface, and reporting of faults."""

"""Migration of one VM: duration, downtime and traffic of each model."""

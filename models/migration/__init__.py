"""How one VM moves: duration, downtime, bytes of each migration model."""

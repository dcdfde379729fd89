"""What may be written where, and how a result is replaced at once."""

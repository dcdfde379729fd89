"""Clock, random streams, log."""

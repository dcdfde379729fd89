"""What things are and what they cost; no clock, no randomness that is not handed in."""

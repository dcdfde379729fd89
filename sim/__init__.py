"""Time: the clock, the engine, what happens at a time, and its record."""

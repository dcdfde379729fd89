"""Links, routes and bandwidth sharing."""

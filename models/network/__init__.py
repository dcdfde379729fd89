"""Links, routes, and how flows share them."""

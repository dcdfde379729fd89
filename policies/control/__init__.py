"""Control policies: what is decided in a round."""

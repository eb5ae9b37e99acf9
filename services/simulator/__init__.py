"""A simulated world."""

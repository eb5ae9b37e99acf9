"""Decisions and training: pure functions and plain data, without clock, socket, file or global
random state."""

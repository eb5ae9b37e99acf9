"""The thinking: pure functions and plain data; no clock, socket, file or global random state."""

"""The learning role."""

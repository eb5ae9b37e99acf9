"""The deciding role."""

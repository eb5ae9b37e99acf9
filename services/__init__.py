"""The deployables. They meet only on NATS subjects and never import each other."""

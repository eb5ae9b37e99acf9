"""What the services that learn share: messages translated for `rl`, history, id digests, reports."""

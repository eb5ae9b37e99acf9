"""The nerves: lifecycle, bus, streams, embedded broker, settings, log. Only here is nats."""

"""The process around a service: settings, log, health, metrics, tracing, supervisor."""

"""What runs around every service: settings, log, health, metrics, tracing, child processes.

| module       | what it is for                                                                  |
|--------------|---------------------------------------------------------------------------------|
| `settings`   | settings that all services share, read once from `TERCET_…` variables            |
| `errors`     | the exception tree; each error is named for what its receiver should do          |
| `log`        | structured logs: one JSON object per line on stderr                              |
| `metrics`    | every metric of the product, in one table                                        |
| `tracing`    | W3C trace context of messages; spans when the OpenTelemetry SDK is installed     |
| `health`     | `/healthz`, `/readyz`, `/metrics` of one process, and the client of HEALTHCHECK   |
| `supervisor` | starts child processes, restarts those that fail, replaces those that hang       |
| `watchdog`   | the event loop's watchdog notifications (sd_notify protocol), both ends          |
| `child`      | child processes that receive SIGTERM when their parent exits                     |
| `waiting`    | waits for events with a time limit                                               |

`tercet.messaging.service_runner` combines them: it runs one service from start to exit.
"""

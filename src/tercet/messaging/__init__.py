"""Everything that touches NATS: connection, messages, streams, stores, leases, the broker itself.

Only this package imports `nats`. A service needs `service_runner`, `bus`, and those of the
others that it uses.

When a message is dead-lettered is stated in `tercet.process.errors` and done in `durable`.

| module              | what it is for                                                             |
|---------------------|----------------------------------------------------------------------------|
| `service_runner`    | runs one service from start to exit: settings, health, connection, signals |
| `bus`               | `Bus`: publish, request, subscribe, write a dead letter; retries           |
| `connection`        | the connection to the nearest broker: first attempt, reconnects, close     |
| `identity`          | credentials, TLS and the reply inbox of a connection                       |
| `subscription`      | a subscription that parses its messages and drops duplicates               |
| `responder`         | answers requests as a NATS micro service; refuses them under overload      |
| `parsing`           | bytes to message, or one line that names the wrong field                   |
| `recent_ids`        | `RecentIds`: a bounded set of keys, to detect duplicates                   |
| `durable`           | consumes a durable at least once; redelivers or dead-letters               |
| `stream_reader`     | reads a stream back without a consumer: history, last message per subject  |
| `outbox`            | messages kept on disk while the broker is unreachable                      |
| `topology`          | the table of streams, durables and buckets                                 |
| `declare`           | creates them on a broker                                                   |
| `stream_changes`    | what a changed stream limit would delete                                   |
| `buckets`           | opens a KV bucket                                                          |
| `operator_settings` | goal, exploration, pinned policy version                                   |
| `parameter_store`   | versioned model parameters, fenced by epoch                                |
| `reset`             | erases all training data                                                   |
| `lease`             | slots leased by compare-and-set                                            |
| `slot_balancer`     | shares leased slots out among workers                                      |
| `name_lock`         | one process per service and node name                                      |
| `inspection`        | reads the state of a running system, for `tercet status` and `audit`       |
| `clock_skew`        | offset of each node's clock from the broker's                              |
| `broker`            | the embedded nats-server                                                   |
| `config_reloader`   | has a broker reload its users when their file changes                      |
| `relay`             | a TCP relay with a configurable delay: weak links on one host              |
| `relay_link`        | one link of the relay                                                      |
| `roles`, `rights`   | which role may use which subjects, and the broker permissions made from it |
| `security`          | keys, certificates and broker configuration of an installation             |
| `nats_errors`       | the exceptions that nats-py raises when a broker is unreachable            |
"""

"""Is the service of this container alive? `python -m tercet.process.health [path]`: exit 0 or 1.

Imports nothing but a socket, so that a check costs a few hundredths of a second.
"""

import os
import socket
import sys

PATIENCE = 3.0


def ask(port: int, path: str) -> int:
    """Return the HTTP status of a path on loopback; raises OSError when nobody answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        line = connection.makefile("rb").readline(256).split()
    return int(line[1]) if len(line) > 1 and line[1].isdigit() else 0


def main() -> int:
    """Say what is wrong on stderr; exit code."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    port = os.environ.get("TERCET_HEALTH_PORT", "")
    if not port.isdigit():
        print("TERCET_HEALTH_PORT: not set, nothing is served", file=sys.stderr)
        return 1
    try:
        status = ask(int(port), path)
    except OSError as error:
        print(f"{path}: no answer on port {port}: {error}", file=sys.stderr)
        return 1
    if status != 200:
        print(f"{path}: {status}", file=sys.stderr)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())

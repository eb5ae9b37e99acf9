"""Check the service of this container: `python -m tercet.process.health [path]`, exit code 0 or 1.

Imports nothing but a socket, so that a check costs a few hundredths of a second of CPU.
"""

import os
import socket
import sys

ANSWER_TIMEOUT_S = 3.0


def get_status(port: int, path: str) -> int:
    """Return the HTTP status of a path on loopback; raises OSError when there is no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        line = connection.makefile("rb").readline(256).split()
    return int(line[1]) if len(line) > 1 and line[1].isdigit() else 0


def main() -> int:
    """Print what is wrong on stderr; return the exit code."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    port = os.environ.get("TERCET_HEALTH_PORT", "")
    if not port.isdigit():
        print("TERCET_HEALTH_PORT: not set, no port is open", file=sys.stderr)
        return 1
    try:
        status = get_status(int(port), path)
    except OSError as error:
        print(f"{path}: no answer on port {port}: {error}", file=sys.stderr)
        return 1
    if status != 200:
        print(f"{path}: {status}", file=sys.stderr)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())

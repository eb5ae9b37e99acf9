"""Child processes that receive SIGTERM when their parent exits (Linux: PR_SET_PDEATHSIG).

`subprocess`'s `preexec_fn` is not used for this: it runs Python code between fork and exec, which
can deadlock when the parent has more than one thread. `with_parent_death_signal` instead starts
this file as a small launcher, which sets the signal and then replaces itself by the command.
The process id stays the same.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def set_parent_death_signal() -> None:
    """Ask the kernel to send this process SIGTERM when its parent exits; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def with_parent_death_signal(command: Sequence[str]) -> list[str]:
    """Return a command that runs `command`, ended by SIGTERM when the calling process exits.

    Environment, working directory and open file descriptors reach `command` unchanged. The signal
    is bound to the calling thread: it is also sent when that thread exits.
    """
    if sys.platform != "linux":
        return list(command)
    # -I -S: the launcher reads no PYTHON… variable and no site-packages, so it starts quickly.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def _launch(parent: int, command: list[str]) -> None:
    """Become `command`, unless the parent has exited already."""
    set_parent_death_signal()
    if os.getppid() != parent:  # It exited before the signal was set.
        sys.exit(128 + signal.SIGTERM)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; the command may not.
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    _launch(int(sys.argv[1]), sys.argv[2:])

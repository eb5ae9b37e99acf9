"""An error of the user's input: printed in one line, exit 2."""


class UsageError(Exception):
    """Bad input on the command line; the text names what was given and what is expected."""

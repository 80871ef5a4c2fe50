"""The command line: data on stdout, messages on stderr; exit 0 done, 1 the answer is no, 2 mend something."""

from levers.cli.app import app, main

__all__ = ["app", "main"]

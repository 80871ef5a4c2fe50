"""Who holds something in a shared ledger, and whether that process still lives."""

import os
import socket
import threading
import time
from itertools import count

_HOST = socket.gethostname()
_numbers = count(1)
LEASE = 900.0
"""Seconds after which a hold is void even if its owner seems to live: process numbers come round again, and another
machine's processes cannot be seen from here."""


def new_owner() -> str:
    """Return a name for one holder: machine, process, and a number of its own."""
    return f"{_HOST}:{os.getpid()}:{threading.get_ident()}:{next(_numbers)}"


def alive(owner: str, since: float) -> bool:
    """Tell whether an owner may still be at work on what it took at `since` (Unix time)."""
    if time.time() - since > LEASE:
        return False
    host, pid = owner.split(":")[:2]
    if host != _HOST or os.name == "nt":  # Windows has no way to ask that does no harm
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

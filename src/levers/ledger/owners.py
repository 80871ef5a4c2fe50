"""Who holds something in a shared ledger, and whether that process still lives."""

import os
import socket
import threading
import time
from itertools import count
from pathlib import Path

_HOST = socket.gethostname()
_numbers = count(1)
LEASE = 900.0
"""Seconds after which a hold is void even if its owner seems to live: process numbers come round again, and another
machine's processes cannot be seen from here."""


def new_owner() -> str:
    """Return a name for one holder: machine, process, a number of its own, and when the process began."""
    pid = os.getpid()
    return f"{_HOST}:{pid}:{threading.get_ident()}:{next(_numbers)}:{_began(pid)}"


def alive(owner: str, since: float) -> bool:
    """Tell whether an owner may still be at work on what it took at `since` (Unix time)."""
    if time.time() - since > LEASE:
        return False
    host, pid, *_, began = owner.split(":")
    began = began if owner.count(":") == 4 else ""  # an owner of before does not say
    if host != _HOST or os.name == "nt":  # Windows has no way to ask that does no harm
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not began or began == _began(int(pid))  # a container that starts again has the same host and number


def _began(pid: int) -> str:
    """Return when a process began, in clock ticks since the machine did; empty where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # field 22; the name in brackets, field 2, may hold anything

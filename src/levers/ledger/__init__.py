"""Values in, digests out; replay of what was computed; spending; recordings; whole files."""

from levers.ledger.files import write_atomic
from levers.ledger.owners import new_owner
from levers.ledger.purse import Purse
from levers.ledger.recordings import export, load, scrub, secrets_of
from levers.ledger.replay import Replay
from levers.ledger.values import Message, Record, Text, canonical, digest, whole

__all__ = [
    "Message",
    "Purse",
    "Record",
    "Replay",
    "Text",
    "canonical",
    "digest",
    "export",
    "load",
    "new_owner",
    "scrub",
    "secrets_of",
    "whole",
    "write_atomic",
]

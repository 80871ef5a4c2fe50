"""Values in, digests out; replay of what was computed; spending; recordings; whole files."""

from levers.ledger.files import write_atomic
from levers.ledger.owners import new_owner
from levers.ledger.purse import Purse
from levers.ledger.recordings import export, load, scrub, secrets_of
from levers.ledger.replay import Replay
from levers.ledger.values import Message, Record, Schema, Text, canonical, digest, in_order, whole

__all__ = [
    "Message",
    "Purse",
    "Record",
    "Replay",
    "Schema",
    "Text",
    "canonical",
    "digest",
    "export",
    "in_order",
    "load",
    "new_owner",
    "scrub",
    "secrets_of",
    "whole",
    "write_atomic",
]

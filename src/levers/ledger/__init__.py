"""Values in, digests out; replay of what was computed; whole files."""

from levers.ledger.files import write_atomic
from levers.ledger.replay import Replay
from levers.ledger.values import Message, Record, canonical, digest

__all__ = ["Message", "Record", "Replay", "canonical", "digest", "write_atomic"]

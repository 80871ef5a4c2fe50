"""Fakes at the edges, for levers' own tests and for yours: a server on loopback, a scripted model, a hashing embedder.

Nothing here reaches a network other than loopback, and nothing here pretends to be good at anything.
"""

from levers.testing.models import HashEmbedder, ScriptedModel
from levers.testing.server import FAULTS, FakeServer, Fault, Scripted

__all__ = ["FAULTS", "FakeServer", "Fault", "HashEmbedder", "Scripted", "ScriptedModel"]

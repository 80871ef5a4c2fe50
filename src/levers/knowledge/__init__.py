"""Find passages: read documents, cut them along their structure, index them, search what a user may read."""

from levers.knowledge.access import Access, Rule, load_access
from levers.knowledge.chunk import chunk
from levers.knowledge.fuse import twins
from levers.knowledge.index import Index, build, made_with, open_index, purge
from levers.knowledge.library import Library, read_library
from levers.knowledge.records import Chunk, Chunking, Document, Found, Mode, Query, Superseded
from levers.knowledge.update import Update

__all__ = [
    "Access",
    "Chunk",
    "Chunking",
    "Document",
    "Found",
    "Index",
    "Library",
    "Mode",
    "Query",
    "Rule",
    "Superseded",
    "Update",
    "build",
    "chunk",
    "load_access",
    "made_with",
    "open_index",
    "purge",
    "read_library",
    "twins",
]

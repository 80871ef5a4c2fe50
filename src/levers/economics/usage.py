"""What an answer used, in the buckets that providers bill."""

from levers.ledger import Record


class Usage(Record):
    """Tokens by price bucket, the seconds a local machine computed, and the calls that a server answered.

    Units: tokens, seconds, calls.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    compute_seconds: float = 0.0
    calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Add bucket by bucket."""
        return Usage(
            input=self.input + other.input,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            output=self.output + other.output,
            compute_seconds=self.compute_seconds + other.compute_seconds,
            calls=self.calls + other.calls,
        )

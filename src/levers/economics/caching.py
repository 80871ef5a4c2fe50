"""When a prompt cache pays: hit rate, reuses and traffic at which a cached prefix costs no more than a plain one."""

import math

from pydantic import Field

from levers.economics.price import Bucket, Price, Provenance, weakest, written
from levers.economics.totals import monthly
from levers.ledger import Record

SECONDS_PER_DAY = 86_400


class CacheCase(Record):
    """The economics of caching a prefix at one price. Costs are USD for the prefix of one answer.

    `hit_rate_needed` is the least share of answers that must find the prefix cached for the mean answer to cost no more
    than without a cache; `reuses_needed` how often one written prefix must be read before it is lost; `traffic_needed`
    the answers a day at which a lifetime of `lifetime` seconds gives that hit rate. Each is None where no value is
    enough. `hit_rate` is the one given, or what `answers_per_day` gives; `cost` is the mean answer's at it, and
    `saved_per_month` what the cache saves in 30 days (negative: costs more), None where no traffic is known.
    """

    prefix: int
    lifetime: float
    lifetime_source: str
    uncached: float
    read: float
    write: float
    hit_rate_needed: float | None
    reuses_needed: int | None
    traffic_needed: float | None
    hit_rate: float | None
    cost: float | None
    saved_per_month: float | None
    provenance: Provenance
    sources: tuple[str, ...]

    @property
    def pays(self) -> bool | None:
        """Tell whether the cache costs no more than it saves; None where no hit rate is known."""
        return None if self.cost is None else self.cost <= self.uncached


class Asked(Record):
    """What is cached and how often it is asked for: tokens, seconds, answers a day, a share of hits."""

    prefix: int = Field(gt=0)
    lifetime: float = Field(gt=0, allow_inf_nan=False)
    answers_per_day: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    hit_rate: float | None = Field(default=None, ge=0, le=1)
    lifetime_source: str = "given by you"


def cache_case(price: Price, asked: Asked) -> CacheCase:
    """Return when caching that prefix pays at that price, and whether it does."""
    buckets: tuple[Bucket, ...] = ("input", "cache_read", "cache_write")
    origins = [price.origins[name] for name in buckets if name in price.origins]
    needed = hit_rate_needed(price)
    rate = asked.hit_rate
    if rate is None and asked.answers_per_day is not None:
        rate = expected_hit_rate(asked.answers_per_day, asked.lifetime)
    plain = prefix_cost(price, asked.prefix, None)
    cost = None if rate is None else prefix_cost(price, asked.prefix, rate)
    saved = None
    if cost is not None and asked.answers_per_day is not None:
        saved = monthly(plain, asked.answers_per_day) - monthly(cost, asked.answers_per_day)
    return CacheCase(
        prefix=asked.prefix,
        lifetime=asked.lifetime,
        lifetime_source=asked.lifetime_source,
        uncached=plain,
        read=prefix_cost(price, asked.prefix, 1.0),
        write=prefix_cost(price, asked.prefix, 0.0),
        hit_rate_needed=needed,
        reuses_needed=reuses_needed(price),
        traffic_needed=None if needed is None else traffic_needed(needed, asked.lifetime),
        hit_rate=rate,
        cost=cost,
        saved_per_month=saved,
        provenance=weakest([origin.provenance for origin in origins]),
        sources=tuple(dict.fromkeys(str(origin) for origin in origins)),
    )


def prefix_cost(price: Price, tokens: int, hit_rate: float | None) -> float:
    """Return the mean cost in USD of a prompt's first tokens: hits are read, misses are written; None: no cache.

    h x read + (1 - h) x write, per 1M tokens; exact, and rounded once.
    """
    if hit_rate is None:
        return float(tokens * written(price.input) / 1_000_000)
    share = written(hit_rate)
    mean = share * written(price.cache_read) + (1 - share) * written(price.cache_write)
    return float(tokens * mean / 1_000_000)


def hit_rate_needed(price: Price) -> float | None:
    """Return the least hit rate h at which h x read + (1 - h) x write <= input; None where none is enough.

    With a write premium that is h = (write - input) / (write - read); without one any hit rate is enough. The figure is
    rounded up to the next float, so that the promise holds at it.
    """
    plain, read, write = (written(each) for each in (price.input, price.cache_read, price.cache_write))
    if max(read, write) <= plain:
        return 0.0
    if read > plain or write <= read:
        return None
    exact = (write - plain) / (write - read)
    near = float(exact)
    return near if written(near) >= exact else math.nextafter(near, 2.0)


def reuses_needed(price: Price) -> int | None:
    """Return how often a written prefix must be read before it is lost: n with write + n x read <= (n + 1) x input."""
    plain, read, write = (written(each) for each in (price.input, price.cache_read, price.cache_write))
    if write <= plain:
        return 0
    return None if read >= plain else math.ceil((write - plain) / (plain - read))


def expected_hit_rate(answers_per_day: float, lifetime: float) -> float:
    """Return the share of answers that find a prefix whose lifetime (seconds) starts anew with every use.

    With arrivals at random (Poisson) at rate r, the gap before an answer is shorter than the lifetime T with
    probability 1 - exp(-r T). All answers are taken to share the prefix.
    """
    return -math.expm1(-answers_per_day / SECONDS_PER_DAY * lifetime)


def traffic_needed(hit_rate: float, lifetime: float) -> float | None:
    """Return the answers a day at which that hit rate is expected: the inverse of `expected_hit_rate`."""
    return None if hit_rate >= 1 else -math.log1p(-hit_rate) / lifetime * SECONDS_PER_DAY

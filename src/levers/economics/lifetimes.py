"""What it costs to keep a prompt's beginning in a provider's cache, by how long it is kept."""

from typing import Literal

from levers.economics.price import Origin, Price

Lifetime = Literal["5m", "1h"]
HOUR_FACTOR = 2.0
"""Writing for an hour costs this many times the input price (Anthropic's caching guide); for five minutes 1.25."""

CACHE_MINIMUM = 1024
"""Tokens: the shortest prefix that a provider keeps, where the price book names no other (Anthropic's and OpenAI's
caching guides, for their common models)."""
LIFETIMES: dict[float, Lifetime] = {300.0: "5m", 3600.0: "1h"}
"""The two lifetimes that Anthropic sells, by their seconds (its caching guide)."""


def at_lifetime(price: Price, lifetime: Lifetime | None) -> Price:
    """Return the price with its `cache_write` for that lifetime; only Anthropic's models have two.

    One bucket is enough, since levers never mixes lifetimes in one prompt. A price for writing that was set beside the
    input price, in a file of the team's, stays as it is.
    """
    if lifetime != "1h" or not price.model.startswith("anthropic/"):
        return price
    writing = price.origins.get("cache_write")
    if writing is not None and writing == price.origins.get("input"):
        return price
    source = f"{HOUR_FACTOR:g} x the input price, for an hour: Anthropic's caching guide"
    origins = {**price.origins, "cache_write": Origin(provenance="price book", source=source, date="2026")}
    return price.model_copy(update={"cache_write": HOUR_FACTOR * price.input, "origins": origins})

"""When hosted bases go, and tuned models with them: dates that the providers have announced, and what to say of them.

From OpenAI's deprecations page (developers.openai.com/api/docs/deprecations, read 2026-11-21); its model endpoint tells
a `shutdown_date` too, which counts where it can be asked.
"""

from datetime import date

READ = "OpenAI's deprecations page, read 2026-11-21"
LAST_START = date(2027, 1, 6)  # no tuning is started by self-service at OpenAI from then on
# The longest name that a model's begins with counts.
SHUT_DOWN = {
    "gpt-3.5-turbo": date(2026, 10, 23),
    "gpt-4": date(2026, 10, 23),
    "gpt-4-turbo": date(2026, 10, 23),
    "gpt-4.1": date(2027, 1, 14),
    "gpt-4.1-mini": date(2027, 1, 14),
    "gpt-4.1-nano": date(2026, 10, 23),
    "gpt-4o": date(2027, 1, 14),
    "gpt-4o-2024-05-13": date(2026, 10, 23),
    "gpt-4o-mini": date(2027, 1, 14),
    "o4-mini": date(2026, 10, 23),
}


def shut_down(model: str) -> date | None:
    """Return when a base of OpenAI's goes, None where nothing is known."""
    bare = model.removeprefix("ft:")
    names = [name for name in SHUT_DOWN if bare == name or bare.startswith((f"{name}-", f"{name}:"))]
    return SHUT_DOWN[max(names, key=len)] if names else None


def warnings(model: str, today: date, told: date | None = None) -> tuple[str, ...]:
    """Return what there is to say before a tuning at OpenAI; `told` is the date that the server itself gave."""
    gone = told or shut_down(model)
    lines = []
    if gone is not None:
        word = "went" if gone <= today else f"goes in {(gone - today).days} days,"
        source = "as the server says" if told else READ
        lines.append(f"{model} {word} on {gone}, and every model tuned from it with it ({source})")
    if today <= LAST_START:
        lines.append(f"OpenAI starts no tuning by self-service after {LAST_START} ({READ})")
    else:
        lines.append(f"OpenAI has started no tuning by self-service since {LAST_START} ({READ})")
    return tuple(lines)


def is_gone(model: str, today: date, told: date | None = None) -> bool:
    """Tell whether a base cannot be tuned any more."""
    gone = told or shut_down(model)
    return gone is not None and gone <= today

"""Figures as people read them: shares, points, money, milliseconds, p-values, and texts made safe to show."""

import json
import math
from typing import Any

from levers.stack.records import Answer, Given, Inline, Instruct, Part, Reason, Retrieve, Shots, Stack, Structure
from levers.trial.records import Comparison, Interval

UNKNOWN = "unknown"
_MINUS = "\N{MINUS SIGN}"
_DASH = "\N{EN DASH}"
# Control characters but tab and newline: a terminal would obey them and HTML forbids them.
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(9), *range(11, 32), *range(127, 160))}


def plain(text: str) -> str:
    """Replace control characters and lone surrogates, which neither a page nor a terminal can show."""
    return text.replace("\r\n", "\n").translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")


def clip(text: str, most: int) -> str:
    """Shorten a text to at most `most` characters and say how many are left out."""
    if len(text) <= most:
        return text
    return f"{text[:most].rstrip()} … ({len(text) - most:,} more characters)"


def percent(share: float) -> str:
    """Write a share (0 to 1) in per cent; never 0% or 100% unless it is exactly that."""
    if not math.isfinite(share):
        return UNKNOWN
    if 0 < share <= 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share * 100:.0f}%"


def span(interval: Interval) -> str:
    """Write an interval of shares: its ends in per cent with an en dash between."""
    low, high = percent(interval.low), percent(interval.high)
    return f"{low.removesuffix('%')}{_DASH}{high}"


def points(difference: float) -> str:
    """Write a difference of shares in percentage points with its sign; small ones with one decimal."""
    if not math.isfinite(difference):
        return UNKNOWN
    value = difference * 100
    digits = 1 if 0 < abs(value) < 9.95 else 0
    number = f"{abs(value):.{digits}f}"
    if float(number) == 0:
        return "0"
    return f"{_MINUS if value < 0 else '+'}{number}"


def points_span(interval: Interval) -> str:
    """Write an interval of differences: +2.0 to +12."""
    return f"{points(interval.low)} to {points(interval.high)}"


def p_value(p: float | None) -> str:
    """Write a p-value: p < 0.001, p = 0.012; unknown when none was computed.

    One that rounds up to 0.01 or 0.05 shows a digit more, so that its side of that line is seen.
    """
    if p is None or not math.isfinite(p):
        return UNKNOWN
    if any(p < line <= round(p, 3) for line in (0.01, 0.05)):
        return f"p = {p:.4f}"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def money(dollars: float | None) -> str:
    """Write USD: cents below a thousand, two leading digits below a cent, whole dollars above."""
    if dollars is None or not math.isfinite(dollars):
        return UNKNOWN
    sign, size = (_MINUS if dollars < 0 else ""), abs(dollars)
    if size == 0:
        return "$0"
    if size >= 1000:
        return f"{sign}${size:,.0f}"
    if size >= 0.1:
        return f"{sign}${size:.2f}"
    if size < 1e-9:
        return f"{sign}${size:.1e}"
    digits = 1 - math.floor(math.log10(size))
    return f"{sign}${size:.{digits}f}".rstrip("0")


def milliseconds(value: float | None) -> str:
    """Write a time given in milliseconds in the unit that reads best."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size, sign = abs(value), _MINUS if value < 0 else ""
    if size == 0:
        return "0 ms"
    if size < 1:
        return f"{sign}<1 ms" if not sign else "0 ms"
    if size < 999.5:
        return f"{sign}{size:.0f} ms"
    return f"{sign}{size / 1000:.2f} s" if size < 60_000 else f"{sign}{duration(size / 1000)}"


def duration(seconds: float) -> str:
    """Write a time given in seconds: 42 s, 3 min 05 s, 2 h 10 min, 3 d 4 h."""
    if not math.isfinite(seconds):
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def quantity(value: float | None, unit: str) -> str:
    """Write a target's figure in its unit: a share, USD, milliseconds, seconds, or the unit's own name."""
    if value is None or not math.isfinite(value):
        return "not measured"
    lower = unit.strip().lower()
    if "usd" in lower or lower.startswith("$"):
        return money(value)
    if lower in {"ms", "milliseconds"}:
        return milliseconds(value)
    if lower in {"s", "seconds"}:
        return duration(value)
    return percent(value) if lower in {"", "share", "quality", "%"} or "share" in lower else f"{value:g} {unit}"


def precise(value: float | None, unit: str) -> str:
    """Write a target's figure with six digits, for where it differs from what was wanted in none that is shown."""
    if value is None or not math.isfinite(value):
        return quantity(value, unit)
    lower = unit.strip().lower()
    if lower in {"", "share", "quality", "%"} or "share" in lower:
        return f"{value * 100:.6g}%"
    return f"${value:.6g}" if "usd" in lower or lower.startswith("$") else f"{value:.6g} {unit}"


def count(number: int, noun: str, many: str = "") -> str:
    """Write a count with its noun: 1 case, 12 cases."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def volume(a_day: float) -> str:
    """Write how many answers a day: whole ones from ten on, three digits below, so that few are not none."""
    return f"{a_day:,.0f}" if a_day >= 10 else f"{a_day:.3g}"


def listed(names: list[str], last: str = "and") -> str:
    """Join names as a sentence does: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def p_by_test(comparison: Comparison) -> str:
    """Name the p-value that the verdict goes by, and its test."""
    grouped = comparison.clustered
    if grouped is not None and grouped.p_value > comparison.p_value:
        return f"{p_value(grouped.p_value)} by t over the {grouped.clusters:,} sources that cases share"
    test = "exact McNemar" if comparison.measure == "pass" else "sign-flip permutation"
    return f"{p_value(comparison.p_value)} by {test}"


def reading(comparison: Comparison) -> str:
    """Say what a comparison shows: better, worse, or not decisive."""
    if not comparison.decisive:
        return "not decisive"
    return "better" if comparison.difference > 0 else "worse"


def settings(values: dict[str, Any]) -> str:
    """Write settings as k=v pairs; empty when there are none."""
    return ", ".join(f"{key}={_value(value)}" for key, value in values.items())


def expected_texts(expected: str | tuple[str, ...] | dict[str, Any]) -> tuple[str, ...]:
    """Write an expected answer as the texts that are accepted; JSON becomes one text of JSON."""
    if isinstance(expected, str):
        return (expected,)
    if isinstance(expected, dict):
        return (json.dumps(expected, ensure_ascii=False, indent=1, default=str),)
    return expected


def answer_text(answer: Answer) -> str:
    """What was answered, or why there is no answer."""
    if answer.error:
        return f"(no answer: {answer.error})"
    return answer.text if answer.text.strip() else "(an empty answer)"


def part_words(part: Part) -> tuple[str, str]:
    """Name a part of a stack and say in a few words what it holds."""
    if isinstance(part, Instruct):
        return "instructions", f"{count(len(part.text), 'character')} in the system message"
    if isinstance(part, Shots):
        shown = count(len(part.pairs), "pair")
        return "shown examples", f"the {part.nearest} nearest of {shown}" if part.nearest else shown
    if isinstance(part, Reason):
        return "reasoning", _reasoning(part)
    if isinstance(part, Structure):
        fields = part.json_schema.get("properties")
        names = listed([str(name) for name in fields]) if isinstance(fields, dict) else "a JSON Schema"
        return "structure", f"the reply must be JSON: {names}"
    if isinstance(part, Inline):
        return "documents in the prompt", count(len(part.documents), "document")
    if isinstance(part, Retrieve):
        how = f"{part.mode} search, reranked" if part.rerank else f"{part.mode} search"
        return "retrieval", f"{count(part.k, 'passage')} per question, {how}, index {part.index}"
    if isinstance(part, Given):
        return "given by a probe", "never shipped"
    return str(part), ""


def _reasoning(part: Reason) -> str:
    ways = ["thinks before it answers"] if part.think else []
    ways += [f"keeps the answer that most of {part.samples} give"] if part.samples > 1 else []
    ways += ["checks its answer"] if part.verify else []
    return listed(ways) or "none"


def stack_words(stack: Stack) -> str:
    """Say in one line what a stack is made of."""
    names = [part_words(part)[0] for part in stack.parts]
    model = f"{stack.model.id} with adapter {stack.model.adapter}" if stack.model.adapter else stack.model.id
    return f"{model}: {listed(names)}" if names else model


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)

"""Advice without data in a terminal."""

from rich.console import RenderableType

from levers.plan import Advice
from levers.plan.advise import sources_of
from levers.view.costs import gates, owned
from levers.view.layout import grid, pairs, spaced, styled
from levers.view.words import listed


def advice(found: Advice) -> RenderableType:
    """Set out an advice: the lever, the path, what is wrong, conflicts, scorecard, gates, costs, time, experiment."""
    parts: list[RenderableType] = [styled(f"{found.lever}: {found.why}", "bold")]
    parts.append(_order(found))
    if found.conflicts:
        parts += [styled("Answers that pull against each other", "bold yellow"), _conflicts(found)]
    parts += [styled("The path", "bold"), _path(found)]
    parts += [styled("Not here", "bold"), _wrong(found)]
    parts += [styled("Scorecard: it describes, the path decides", "bold"), _scorecard(found)]
    if found.gates:
        parts += [styled("Data", "bold"), gates(found.gates)]
    if found.costs:
        parts.append(owned(found.costs, found.costs_note.split("; ")))
    else:
        parts.append(styled(found.costs_note, "dim"))
    check = found.confirm_with
    parts.append(styled(found.team))
    parts.append(
        pairs(
            ("to confirm", f"{check.do} ({check.command})"),
            ("if so", check.yes),
            ("if not", check.no),
            ("sources", "\n".join(sources_of(found))),
        )
    )
    return spaced(*parts)


def _order(found: Advice) -> RenderableType:
    rows = grid("", "lever", "how", "working days", "done by day")
    for place, stage in enumerate(found.timeline, start=1):
        days, done = (f"{low:g} to {high:g}" for low, high in (stage.days, stage.done_by))
        rows.add_row(str(place), styled(stage.lever, "bold"), stage.how, days, done)
    return rows


def _conflicts(found: Advice) -> RenderableType:
    rows = grid("between", "why", "what settles it", "source")
    for each in found.conflicts:
        rows.add_row(" and ".join(each.between), each.why, each.settle, each.source)
    return rows


def _path(found: Advice) -> RenderableType:
    rows = grid("question", "answer", "follows", "source")
    for turn in found.path:
        rows.add_row(turn.question, turn.answer, turn.follows, turn.source)
    return rows


def _wrong(found: Advice) -> RenderableType:
    rows = grid("lever", "why not", "source")
    for each in found.not_:
        rows.add_row(styled(each.lever, "bold"), each.why, each.source)
    return rows


def _scorecard(found: Advice) -> RenderableType:
    ways = ("prompting", "retrieval", "tuning")
    rows = grid("dimension", "weight", *ways)
    for row in found.scorecard.rows:
        shown = (f"{points:g} {words}" for points, words in (getattr(row, way) for way in ways))
        rows.add_row(row.dimension, f"{row.weight:g}", *shown)
    rows.add_row(styled("total", "bold"), "", *(f"{found.scorecard.totals[way]:g}" for way in ways))
    note = f"best: {listed(list(found.scorecard.best))}; {found.scorecard.note}"
    return spaced(rows, styled(note, "dim"))

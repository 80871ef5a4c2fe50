"""What is paid by the token, in a terminal: an answer, a cached prefix, a tuning run, an index."""

from collections.abc import Sequence

from rich.console import RenderableType

from levers.economics import AnswerCost, CacheCase, CostFigure, Documents, IndexCost, Range, TuningRun, often
from levers.view.layout import grid, pairs, spaced, styled
from levers.view.words import count, money, percent, volume

NEVER = "never"


def answer(
    model: str, cost: AnswerCost, answers_per_day: float | None, month: float | None, notes: Sequence[str] = ()
) -> RenderableType:
    """Set out one answer's cost line by line."""
    lines = grid("call", "model", "per answer", "input", "cached", "written", "output", "cost")
    for item in cost.items:
        usage = item.usage
        tokens = (usage.input, usage.cache_read, usage.cache_write, usage.output)
        lines.add_row(
            item.name, item.model, f"{item.per_answer:.3g}", *(f"{each:,}" for each in tokens), money(item.cost.value)
        )
    rows = [("an answer", _figure(cost.total))]
    if answers_per_day is not None:
        rows.append(("a month", f"{money(month)} at {volume(answers_per_day)} answers a day, 30 days"))
    said = (styled(note, "dim") for note in notes)
    return spaced(styled(f"An answer by {model}", "bold"), lines, pairs(*rows), *said)


def cache(model: str, case: CacheCase) -> RenderableType:
    """Set out when a cached prefix pays."""
    needed = NEVER if case.hit_rate_needed is None else f"{percent(case.hit_rate_needed)} of answers find it cached"
    reuses = NEVER if case.reuses_needed is None else count(case.reuses_needed, "read") + " for each write"
    traffic = NEVER if case.traffic_needed is None else f"{volume(case.traffic_needed)} answers a day, at random times"
    rows = [
        ("not cached", f"{money(case.uncached)} for the prefix of one answer"),
        ("read, written", f"{money(case.read)}, {money(case.write)}"),
        ("pays from", needed),
        ("or from", f"{reuses} before it is lost"),
        ("or from", f"{traffic}, with a lifetime of {case.lifetime:g} s renewed by every use"),
    ]
    if case.hit_rate is not None:
        verdict = "it pays" if case.pays else "it does not pay"
        rows.append(("here", f"{percent(case.hit_rate)} find it cached, {money(case.cost)}: {verdict}"))
    if case.saved_per_month is not None:
        word = "saved" if case.saved_per_month >= 0 else "more than without a cache"
        rows.append(("a month", f"{money(abs(case.saved_per_month))} {word}, 30 days"))
    rows.append(("prices", f"{case.provenance}: {'; '.join(case.sources)}"))
    rows.append(("lifetime", case.lifetime_source))
    return spaced(styled(f"A prefix of {case.prefix:,} tokens, cached by {model}", "bold"), pairs(*rows))


def training(model: str, run: TuningRun) -> RenderableType:
    """Set out what one tuning run costs, and what its data takes beside it."""
    rows = [
        ("tokens", f"{run.tokens:,} in all, every epoch counted"),
        ("compute", _figure(run.compute)),
        ("data curation", _range(run.curation)),
        ("or bought", _range(run.outsourced)),
    ]
    note = "not in these figures: evaluation, further rounds, deployment (S2); training again on every change"
    return spaced(styled(f"A tuning run at the price of {model}", "bold"), pairs(*rows), styled(note, "dim"))


def index(embed: str, documents: Documents, cost: IndexCost) -> RenderableType:
    """Set out what an index costs once and by the month."""
    pace = often(documents.changes_per_year)
    rows = [
        ("once", f"{_figure(cost.once)} to embed {documents.tokens:,} tokens"),
        ("a month", f"{_figure(cost.per_month)}; changed {pace}, {percent(documents.changed)} of the documents"),
        ("kept", f"{cost.gigabytes:,.3g} GB: {cost.passages:,} vectors of {documents.dimensions:,}, and the text"),
    ]
    if cost.kept is not None:
        rows.append(("storage", f"{_figure(cost.kept)} a month"))
    note = "not in these figures: engineering time to build and maintain the pipeline (S2)"
    if cost.kept is None:
        note = f"no store was named (--store): kept on a machine that is there. {note}"
    return spaced(styled(f"An index embedded by {embed}", "bold"), pairs(*rows), styled(note, "dim"))


def _figure(figure: CostFigure) -> str:
    return f"{money(figure.value)} ({figure.provenance}: {figure.source})"


def _range(found: Range) -> str:
    low, high = money(found.low), money(found.high)
    return f"{low if low == high else f'{low} to {high}'} ({found.provenance}: {found.source})"

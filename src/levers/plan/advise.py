"""The decision without data: the lever order, the path taken, what is wrong and why, and what would confirm it.

The path is the sources' decision trees (S1, S3, S4) over S2's matrix: prompt first, retrieve for knowledge, tune for
behaviour, distill for cost. A flow, not a ladder: a lever comes when the one before has hit a measured wall.
"""

from collections.abc import Iterator

from levers.economics import Ownership, PriceBook, gate, gates, often, source_title, threshold
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.plan.advice_costs import costs_of
from levers.plan.circumstances import LIVE, Circumstances
from levers.plan.conflicts import Conflict, conflicts
from levers.plan.facts import Experiment, Move, Signal, data, experiment, profile, scorecard, signals, terms
from levers.plan.records import GateCheck

STATIC = 4.0  # changes a year up to which knowledge counts as static: quarterly, by our reading of "rarely" (S4)
GOALS = {"schema": "structured output", "tone": "style"}  # the data gate for tuning, by what is to be mended


class Turn(Record):
    """One turn of the path: the question, the answer that was given or assumed, and what follows."""

    question: str
    answer: str
    follows: str
    source: str


class Wrong(Record):
    """A lever that is not advised, and why."""

    lever: str
    why: str
    source: str


class Stage(Record):
    """One stage of the timeline: working days for this lever, low and high, and the days from the start."""

    lever: str
    how: str
    days: tuple[float, float]
    done_by: tuple[float, float]


class Score(Record):
    """One dimension of the scorecard: weight, and standing and words of each way."""

    dimension: str
    weight: float
    prompting: tuple[float, str]
    retrieval: tuple[float, str]
    tuning: tuple[float, str]
    source: str


class Scorecard(Record):
    """The seven dimensions with the user's weights; totals are weighted sums. It describes, the path decides."""

    rows: tuple[Score, ...]
    totals: dict[str, float]
    best: tuple[str, ...]
    note: str


class Advice(Record):
    """Advice without data. `lever` comes first in `order`; `not_` says what is wrong here; nothing is measured."""

    lever: str
    why: str
    order: tuple[Move, ...]
    path: tuple[Turn, ...]
    not_: tuple[Wrong, ...]
    conflicts: tuple[Conflict, ...]
    scorecard: Scorecard
    gates: tuple[GateCheck, ...]
    costs: tuple[Ownership, ...]
    costs_note: str
    timeline: tuple[Stage, ...]
    team: str
    confirm_with: Experiment
    sources: tuple[str, ...]


def advise(case: Circumstances, book: PriceBook | None = None) -> Advice:
    """Return advice for a case, its costs at the prices of `book` (the one that comes with levers unless given).

    Raises UserError when no symptom is named, since there is nothing to mend then, and where a price is unknown.
    """
    if not case.symptoms:
        named = "; ".join(f"{each.name}: {each.says}" for each in signals().values())
        hint = "not diagnosed yet? Build 50 cases and run: levers init, levers diagnose"
        raise UserError(Problem(file="symptoms", found="nothing", expected=f"one or more of {named}", hint=hint))
    chosen = [signals()[name] for name in case.symptoms]
    path: list[Turn] = [_golden(case)]
    plans = [(signal, _moves(case, signal, path)) for signal in chosen]
    planned = _planned(plans)
    order = sorted(planned, key=lambda move: move.lever in case.tried)  # what was tried in vain comes last
    spent = tuple(signal.name for signal, moves in plans if all(move.lever in case.tried for move in moves))
    names = tuple(dict.fromkeys(move.lever for move in order))
    first = order[0]
    book = book or PriceBook.load()
    costs, note = costs_of(case, names, book)
    return Advice(
        lever=first.lever,
        why=_why(first, planned[first]),
        order=tuple(order),
        path=tuple(path),
        not_=tuple(_wrong(case, chosen, names)),
        conflicts=conflicts(case, names, spent, costs, book),
        scorecard=_scorecard(case.weights),
        gates=tuple(_gates(case, order)),
        costs=costs,
        costs_note=note,
        timeline=tuple(_timeline(order)),
        team=_team(case, first),
        confirm_with=experiment(first.lever),
        sources=tuple(dict.fromkeys(code for signal in chosen for code in signal.source.split(", "))),
    )


def _planned(plans: list[tuple[Signal, list[Move]]]) -> dict[Move, Signal]:
    """Return every move once, the first turns of all symptoms before the second ones, with the symptom it mends."""
    planned: dict[Move, Signal] = {}
    for turn in range(max(len(moves) for _, moves in plans)):
        step = [(moves[turn], signal) for signal, moves in plans if turn < len(moves)]
        for move, signal in sorted(step, key=lambda pair: terms(pair[0].lever).days):
            planned.setdefault(move, signal)
    return planned


def _why(first: Move, signal: Signal) -> str:
    about = data()["causes"].get(signal.cause, "")
    return f"{signal.says}: the cause is {signal.cause} ({about}), and {first.lever} changes that: {first.how}"


def _golden(case: Circumstances) -> Turn:
    least = gate("golden set")
    if case.golden is None:
        answer, follows = "not said", f"build one first: {least.minimum} to {least.maximum} cases"
    elif case.golden < least.minimum:
        answer, follows = (
            f"{case.golden} cases",
            f"build it up to {least.minimum} first: without it no gain can be shown",
        )
    else:
        answer, follows = f"{case.golden} cases", "measure before and after every lever"
    return Turn(question="Is there a golden set?", answer=answer, follows=follows, source=least.source)


def _moves(case: Circumstances, signal: Signal, path: list[Turn]) -> list[Move]:
    """Return the moves for one symptom in order, and write the turns that led to them on the path."""
    about = data()["causes"].get(signal.cause, "")
    path.append(
        Turn(
            question="What fails?",
            answer=signal.says,
            follows=f"a matter of {signal.cause}: {about}",
            source=signal.source,
        )
    )
    moves = list(signal.right)
    if signal.name in {"facts", "domain"}:
        moves = _knowledge(case, signal, path)
    elif signal.name == "schema":
        moves = _schema(case, moves, path)
    tried = [move for move in moves if move.lever in case.tried]
    left = [move for move in moves if move.lever not in case.tried]
    if tried:
        names = ", ".join(move.lever for move in tried)
        follows = f"it has hit its wall: {left[0].lever} is next" if left else "nothing is left that mends this"
        path.append(Turn(question="What was tried in vain?", answer=names, follows=follows, source="S0, S2"))
        moves = left or moves
    later = [move for move in left[1:] if move.lever in {"tune", "distill"}]
    for move in later:
        follows = f"{move.lever} waits until {moves[0].lever} has hit a measured wall"
        path.append(
            Turn(question=f"Is {moves[0].lever} exhausted?", answer="not shown", follows=follows, source="S0, S2")
        )
    return moves


def _knowledge(case: Circumstances, signal: Signal, path: list[Turn]) -> list[Move]:
    limit = threshold("inline").high
    rate = case.documents_change
    if rate is not None and rate >= LIVE:
        follows = "faster than an index is built: ask the live data with a query"
        path.append(Turn(question="How often do the facts change?", answer="live", follows=follows, source="S2"))
        return [Move(lever="query", how="a structured query (text-to-SQL) as a tool")]
    small = case.corpus is not None and 0 < case.corpus < limit
    static = rate is None or rate <= STATIC
    size = "not said" if case.corpus is None else f"{case.corpus:,} tokens"
    pace = "change rate not said" if rate is None else f"changes {often(rate)}"
    tried = "inline" in case.tried
    if small and static and case.privacy != "access" and not tried:
        follows = f"under {limit:,.0f} tokens and stable: retrieval is overkill, put it into the prompt and cache it"
        path.append(Turn(question="How large, how stable?", answer=f"{size}, {pace}", follows=follows, source="S4, S1"))
        return [
            Move(lever="inline", how="all documents in the prompt"),
            Move(lever="cache", how="the prompt that every call begins with"),
        ]
    follows = "too large, too lively or too private for the prompt: search it" if case.corpus else "search it"
    follows = "all of it in the prompt was tried in vain: search it" if tried else follows
    path.append(Turn(question="How large, how stable?", answer=f"{size}, {pace}", follows=follows, source="S1, S2"))
    return [move for move in signal.right if move.lever == "retrieve"]


def _schema(case: Circumstances, moves: list[Move], path: list[Turn]) -> list[Move]:
    limit = threshold("schema failures, tuning")
    if case.schema_failures is None:
        return moves
    answer = f"{case.schema_failures:.2%} under structured output"
    if case.schema_failures <= limit.low:
        follows = f"at most {limit.low:.1%}: nothing to train"
        path.append(Turn(question="How much still fails?", answer=answer, follows=follows, source=limit.source))
        return moves[:1]
    follows = f"more than {limit.low:.1%} to {limit.high:.0%}: training is justified once structured output is in"
    path.append(Turn(question="How much still fails?", answer=answer, follows=follows, source=limit.source))
    return moves


def _wrong(case: Circumstances, chosen: list[Signal], order: tuple[str, ...]) -> Iterator[Wrong]:
    """Name the levers that do not help a symptom, and those that the answers rule out."""
    for signal in chosen:
        for move in signal.wrong:
            yield Wrong(lever=move.lever, why=f"for {signal.name}: {move.how}", source=signal.source)
    if "inline" in order and "retrieve" not in order:
        yield Wrong(lever="retrieve", why="overkill for so little, so stable text", source="S4, S1")
    knowledge = {"facts", "domain", "documents"} & {*case.symptoms}
    limit = threshold("inline")
    if knowledge and case.corpus is not None and case.corpus >= limit.high:
        why = f"{case.corpus:,} tokens are {limit.high:,.0f} or more: each question would pay for all of them"
        yield Wrong(lever="inline", why=why, source=limit.source)
    wall = threshold("prompt wall")
    if case.prompt > wall.high:
        why = f"a prompt of {case.prompt:,} tokens is beyond the wall of {wall.high:,.0f} at volume"
        yield Wrong(lever="instruct", why=why, source=wall.source)


def _gates(case: Circumstances, order: list[Move]) -> Iterator[GateCheck]:
    held = {"cases": case.golden, "examples": case.examples, "pairs": case.pairs, "labels": case.labels}
    wanted: list[str] = []
    for move in order:
        goals = [GOALS.get(name, "lora") for name in case.symptoms if "tune" in _levers(signals()[name].right)]
        goals = goals if move.lever == "tune" else []
        wanted += [*[goal for goal in terms(move.lever).gates if goal != "lora"], *goals]
    for goal in dict.fromkeys(wanted):
        found = gates()[goal]
        have = held.get(found.unit) or 0
        yield GateCheck(
            goal=goal, have=have, need=found.minimum, usual=found.maximum, unit=found.unit,
            met=have >= found.minimum, source=found.source, open=found.open,
        )  # fmt: skip


def _levers(moves: tuple[Move, ...]) -> set[str]:
    return {move.lever for move in moves}


def _timeline(order: list[Move]) -> Iterator[Stage]:
    low = high = 0.0
    for move in order:
        days = terms(move.lever).days
        low, high = low + days[0], high + days[1]
        yield Stage(lever=move.lever, how=move.how, days=days, done_by=(low, high))


def _scorecard(weights: dict[str, float]) -> Scorecard:
    rows = tuple(Score(weight=weights.get(each.dimension, 1.0), **each.model_dump()) for each in scorecard())
    totals = {
        name: sum(row.weight * getattr(row, name)[0] for row in rows) for name in ("prompting", "retrieval", "tuning")
    }
    most = max(totals.values())
    best = tuple(name for name, total in totals.items() if total == most)
    return Scorecard(rows=rows, totals=totals, best=best, note=data()["scorecard_note"])


def _team(case: Circumstances, first: Move) -> str:
    stage = case.stage or (
        "tuned" if "drift" in case.symptoms else "retrieval" if "documents" in case.symptoms else "scratch"
    )
    found = profile(stage)
    needs = terms(first.lever).needs
    have = f"yours is {case.expertise}" if case.expertise else "yours was not said"
    return f"{found['says']}: {found['advice']} ({found['source']}) {first.lever} asks for {needs} expertise; {have}."


def sources_of(advice: Advice) -> tuple[str, ...]:
    """Write out the sources that an advice rests on."""
    return tuple(source_title(code) for code in advice.sources)

"""compress: leave out of the prompt what dev does not miss; quality must be shown not to be worse."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from levers.diagnosis import ProbeName
from levers.economics import CostFigure
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, quote, tokens
from levers.lever.room import MARGIN, no_room, not_worth
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import parse
from levers.plan import Quote
from levers.stack import Instruct, Retrieve, Shots, Stack
from levers.trial import within_margin
from levers.trial.records import Trial

HALF = 0.5  # of the shared prompt: what a quote takes compression to save at most
WINDOW = 2  # sentences that are kept of each passage
_LINES = re.compile(r"(?<=[.!?])\s+|\n+")


class Settings(Record):
    """How many shorter prompts are measured at most, each over all dev cases; the longest text goes first."""

    tries: int = Field(default=8, ge=1, le=100)


class CompressLever:
    """Takes sentences, examples and passage text away, one at a time, as long as no dev case is lost on balance."""

    name = "compress"
    probes: tuple[ProbeName, ...] = ()
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ()

    def quote(self, situation: Situation) -> Quote:
        """Quote half of the prompt's own text as the most to be saved; no quality gained or lost."""
        saves = _saves(situation)
        terms = Terms(
            answers="cost",
            settings={},
            room=no_room(situation),
            saves=saves,
            added_ms=CostFigure(value=0.0, unit="ms", provenance="assumed", source="a shorter prompt is not slower"),
            blocked=_blocked(situation) or not_worth(situation, saves),
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Leave out what can go, the longest first; what dev misses stays."""
        tries = parse(Settings, self.name, settings).tries
        if not _own_text(situation.stack):
            raise UserError(
                Problem(file="levers pull compress", field="stack", expected="a prompt with text to leave out")
            )
        stack, trial, notes = _shorten(situation, tries)
        saved = _own_text(situation.stack) - _own_text(stack)
        changed = f"the prompt is about {saved:,.0f} tokens shorter" if notes else "nothing could be left out"
        return Pulled(
            stack=stack,
            changed=changed,
            material=f"the stack's own prompt, {_own_text(situation.stack):,.0f} tokens",
            notes=(*notes, *_proof(situation.trial, trial), _handed_over(situation)),
        )


def _shorten(situation: Situation, tries: int) -> tuple[Stack, Trial, tuple[str, ...]]:
    """Try one cut after the other on what the last kept left; a cut stays unless dev loses passes or credit by it."""
    stack, trial, notes, done = situation.stack, situation.trial, [], set[str]()
    for _ in range(tries):
        cut = next(((label, shorter) for label, shorter in cuts(stack) if label not in done), None)
        if cut is None:
            break
        label, shorter = cut
        done.add(label)
        measured = situation.bench.trial(shorter, "dev", f"compress, without {label}")
        if (measured.quality, measured.score) >= (trial.quality, trial.score):
            stack, trial = shorter, measured
            notes.append(f"left out: {label}")
    return stack, trial, tuple(notes)


def cuts(stack: Stack) -> Iterator[tuple[str, Stack]]:
    """Yield every cut with its name, the one that spares most tokens first."""
    found = [*_fewer_shots(stack), *_shorter_passages(stack), *_fewer_sentences(stack)]
    found.sort(key=lambda each: -each[0])
    yield from ((label, shorter) for _, label, shorter in found)


def _fewer_sentences(stack: Stack) -> Iterator[tuple[float, str, Stack]]:
    part = stack.part("instruct")
    if not isinstance(part, Instruct):
        return
    sentences = [each.strip() for each in _LINES.split(part.text) if each and each.strip()]
    for sentence in sentences if len(sentences) > 1 else ():
        text = re.sub(r"\n{3,}", "\n\n", part.text.replace(sentence, "", 1)).strip()
        yield tokens(sentence), f"“{sentence}”", stack.with_part(Instruct(text=text))


def _fewer_shots(stack: Stack) -> Iterator[tuple[float, str, Stack]]:
    part = stack.part("examples")
    if not isinstance(part, Shots):
        return
    if part.nearest is not None:
        fewer, less = part.nearest // 2, part.model_copy(update={"nearest": max(1, part.nearest // 2)})
        spared = sum(tokens(text) for pair in part.pairs for text in pair) / len(part.pairs) * (part.nearest - fewer)
    else:
        fewer, less = len(part.pairs) // 2, Shots(pairs=part.pairs[: len(part.pairs) // 2])
        spared = sum(tokens(text) for pair in part.pairs[fewer:] for text in pair)
    if fewer:
        yield spared, f"all but {fewer} examples", stack.with_part(less)
    elif part.nearest is None:
        yield spared, "the example", stack.without("examples")


def _shorter_passages(stack: Stack) -> Iterator[tuple[float, str, Stack]]:
    part = stack.part("retrieve")
    if isinstance(part, Retrieve) and part.sentences is None:
        shorter = part.model_copy(update={"sentences": WINDOW})
        label = f"all but {WINDOW} sentences of each passage"
        yield float("inf"), label, stack.with_part(shorter)  # how much is known once it is measured; passages are long


def _own_text(stack: Stack) -> float:
    """Estimate the tokens of what stands in every prompt: instructions and shown examples."""
    instruct, shots = stack.part("instruct"), stack.part("examples")
    told = tokens(instruct.text) if isinstance(instruct, Instruct) else 0.0
    if not isinstance(shots, Shots) or not shots.pairs:
        return told
    shown = sum(tokens(text) for pair in shots.pairs for text in pair)
    return told + (shown if shots.nearest is None else shown / len(shots.pairs) * shots.nearest)


def _saves(situation: Situation) -> CostFigure:
    """Take half of the prompt tokens off: at the input price on a server, in proportion to all tokens here."""
    now, usage = situation.trial.cost_per_answer or 0.0, situation.trial.usage
    asked = usage.input + usage.cache_read + usage.cache_write
    price = situation.bench.price
    if price is not None and price.input:
        value = HALF * asked / len(situation.trial.outcomes) * price.input / 1_000_000
    else:
        value = now * HALF * asked / max(1, asked + usage.output)
    return CostFigure(value=min(value, now), provenance="assumed", source=f"{HALF:.0%} of the prompt, at most")


def _proof(before: Trial, after: Trial) -> tuple[str, ...]:
    found = within_margin(before, after, MARGIN)
    word = "shown" if found.not_worse else f"not shown by {found.cases} cases, {found.required_cases} are needed"
    cost = ""
    if before.cost_per_answer and after.cost_per_answer is not None:
        cost = f"; {1 - after.cost_per_answer / before.cost_per_answer:.0%} off the cost of an answer"
    return (f"not worse by {MARGIN:.0%} of the passes: {word} (p = {found.p_worse:.3f}){cost}",)


def _handed_over(situation: Situation) -> str:
    local = situation.stack.model.id.partition("/")[0] in {"pocket", "hf"}
    what = (
        "tune on prompts without them" if local else "a model with local weights could be tuned on prompts without them"
    )
    return f"instructions that every answer needs can go into weights: {what} (S0, S4)"


def _blocked(situation: Situation) -> str:
    if not _own_text(situation.stack) and not situation.stack.part("retrieve"):
        return "there is no text to leave out"
    if any(attempt.accepted for attempt in situation.attempts if attempt.lever == "compress"):
        return "compressed already"
    return ""

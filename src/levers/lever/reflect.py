"""Rewrite the instructions by reflection: GEPA (Agrawal et al. 2025) with the reference model as the one that reflects.

A reference model reads what went wrong on a few dev cases, writes new instructions, and they stay in the race when they
do better on those cases; the front holds every candidate that is best on some case. Half of dev is for reflecting, the
other half for choosing; test is never touched, and cases whose evidence not everybody may read are left out. Replies
come through the ledger, so a pull that was killed and is begun again with the same settings pays for nothing twice:
nothing else has to be saved. Imports gepa, an extra.
"""

import json
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from levers.economics import CostFigure, Usage
from levers.errors import MissingExtra, ModelError, Problem, UserError
from levers.ledger import Message
from levers.lever.situation import Situation
from levers.model import Ask
from levers.stack import Instruct, ModelRef, Stack
from levers.stack.shared import is_public
from levers.task.records import Case, DevCase, Task
from levers.trial.records import Outcome
from levers.trial.text import contains, normalise

BATCH = 3  # cases that one reflection reads: the library's own default
ROOM = 1024  # tokens of a proposal
_READ = 1500  # tokens that a reflection reads, for quotes
TEMPERATURE = 0.7  # the same question twice shall not bring the same proposal twice
COMPONENT = "instructions"
LEAST_DEV = 4
SHARED = 3  # an answer of so many dev cases is a label or the house's refusal
TELLING = 2  # characters
ASKED = """Here are the instructions that an assistant works by:
```
<curr_param>
```

Here is how it did on some tasks, with what a grader said:
```
<side_info>
```

Write better instructions for all tasks of this kind. State the form of the answer and every rule that the remarks
imply. Write no answer and no fact of these tasks into them: the next tasks are others. Give the instructions between
``` marks, and nothing else."""


class Reflected(NamedTuple):
    """The instructions that did best on the choosing half, and what to tell about the search."""

    text: str
    notes: tuple[str, ...]


@dataclass
class _Search:
    """What GEPA asks of us: run candidates, say what went wrong, propose. Counts what it cost."""

    situation: Situation
    reference: str
    most: float | None
    begun: str
    answers: tuple[str, ...]
    spent: float = 0.0
    asked: int = 0
    leaks: set[str] = field(default_factory=set)
    propose_new_texts: Any = None

    def evaluate(self, batch: list[DevCase], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        from gepa.core.adapter import EvaluationBatch

        text = candidate[COMPONENT]
        cases = list({case.id: case for case in batch}.values())  # the sampler fills its last batch with repeats
        found = self.situation.bench.outcomes(_with(self.situation, text), cases, "reflect")
        self.spent += sum(each.cost or 0.0 for each in found)
        known = {each.case: each for each in found}
        outcomes = [known[case.id] for case in batch]
        leaked = self._leaks(text)
        scores = [0.0 if leaked else each.score for each in outcomes]
        traces = list(zip(batch, outcomes, strict=True)) if capture_traces else None
        return EvaluationBatch(outputs=outcomes, scores=scores, trajectories=traces)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        del candidate
        seen = [_seen(case, outcome) for case, outcome in eval_batch.trajectories]
        return dict.fromkeys(components_to_update, seen)

    def propose(self, prompt: Any) -> str:
        """Ask the reference model."""
        ask = Ask(
            messages=(Message(role="user", content=str(prompt)),),
            max_tokens=ROOM,
            temperature=TEMPERATURE,
            seed=self.asked,
        )
        reply = self.situation.bench.workshop.model(ModelRef(id=self.reference)).answer([ask])[0]
        if reply.finish == "error":
            raise ModelError(f"the reference model {self.reference} gave no proposal: {reply.error}")
        self.asked += 1
        self.spent += self.situation.workshop.cost(self.reference, reply.usage) or 0.0
        return reply.text

    def stop(self, gepa_state: Any) -> bool:
        """Tell whether the money is spent."""
        del gepa_state
        return self.most is not None and self.spent >= self.most

    def _leaks(self, text: str) -> bool:
        """Tell whether instructions give answers of dev away, not there at the start: they only seem to do well."""
        found = any(contains(text, each) and not contains(self.begun, each) for each in self.answers)
        if found:
            self.leaks.add(text)
        return found


def reflect(situation: Situation, text: str, calls: int, usd: float | None, seed: int = 0) -> Reflected:
    """Search for better instructions than `text`, with so many graded answers and so much money (USD) at most.

    Money is looked at between rounds, so the last round may go beyond it; a project's cap holds to the cent.

    Raises:
        UserError: no reference model is named, or dev is too small to be split.
        MissingExtra: gepa is not installed.
    """
    reference = situation.bench.task.config.models.reference
    if not reference:
        expected = "a reference model, which writes the proposals"
        raise UserError(Problem(file="levers.yaml", field="models.reference", expected=expected))
    try:
        from gepa.api import optimize
    except ImportError as error:
        raise MissingExtra("gepa", "gepa") from error
    if usd is not None and situation.workshop.cost(reference, Usage()) is None:
        expected = f"a price for {reference}, to keep a limit in USD"
        raise UserError(Problem(file="levers pull instruct", field="usd", found=f"{usd:g}", expected=expected))
    task, index = situation.bench.task, situation.index()
    public = [case for case in _dev(situation) if is_public(case, index)]
    learn, choose = _halves(public, seed)
    search = _Search(situation, reference, usd, text, guarded_answers(task))
    found: Any = optimize(
        seed_candidate={COMPONENT: text},
        trainset=learn,
        valset=choose,
        adapter=search,
        reflection_lm=search.propose,
        reflection_prompt_template=ASKED,
        reflection_minibatch_size=min(BATCH, len(learn)),
        max_metric_calls=calls,
        stop_callbacks=[search.stop],
        logger=_Silent(),
        seed=seed,
    )
    notes = _notes(found, search, len(choose))
    if hidden := len(_dev(situation)) - len(public):
        notes += (f"{hidden} dev cases left out of reflection: not everybody may read their evidence",)
    return Reflected(found.candidates[found.best_idx][COMPONENT], notes)


def price_of(situation: Situation, calls: int) -> CostFigure | None:
    """Estimate what a search of so many graded answers costs in USD; None where a price is not known."""
    reference, answer = situation.bench.task.config.models.reference, situation.trial.cost_per_answer
    proposals = calls / (2 * BATCH)  # each is read from a batch and held against it on the same cases
    used = Usage(input=round(proposals * _READ), output=round(proposals * ROOM))
    proposing = situation.workshop.cost(reference, used) if reference else None
    if answer is None or proposing is None:
        return None
    source = f"{calls} answers as measured, {proposals:.0f} proposals of {_READ} tokens read and {ROOM} written"
    return CostFigure(value=calls * answer + proposing, provenance="assumed", source=source)


def _notes(found: Any, search: _Search, cases: int) -> tuple[str, ...]:
    fronts = found.per_val_instance_best_candidates.values()
    best_on = [sum(place in front for front in fronts) for place in range(found.num_candidates)]
    front = [
        f"candidate {place}: {found.val_aggregate_scores[place]:.3f} credit on {cases} cases, best on {best_on[place]}"
        + (f", from {found.parents[place][0]}" if place else ", what went before")
        + (" (taken)" if place == found.best_idx else "")
        for place in range(found.num_candidates)
        if best_on[place] or place == found.best_idx
    ]
    graded = f"{found.total_metric_calls} graded answers, ${search.spent:.4f}"
    asked = f"{search.asked} proposals of {search.reference}, {graded}"
    leaked = f"; {len(search.leaks)} proposals held answers of dev and got no credit" if search.leaks else ""
    return (f"reflection: {asked}{leaked}", *front)


def _with(situation: Situation, text: str) -> Stack:
    return situation.stack.with_part(Instruct(text=text))


def _dev(situation: Situation) -> tuple[DevCase, ...]:
    return situation.bench.task.partition("dev")


def _halves(public: Sequence[DevCase], seed: int) -> tuple[list[DevCase], list[DevCase]]:
    """Cut what a reference model may see of dev in two at random."""
    cases = list(public)
    if len(cases) < LEAST_DEV:
        found, expected = f"{len(cases)} public dev cases", f"at least {LEAST_DEV}, to reflect and to choose"
        raise UserError(Problem(file="golden.jsonl", found=found, expected=expected))
    random.Random(seed).shuffle(cases)
    return cases[: len(cases) // 2], cases[len(cases) // 2 :]


def guarded_answers(task: Task) -> tuple[str, ...]:
    """Return the dev answers that instructions must not give away: every accepted one, single words and numbers too.

    Not guarded are labels, which instructions have to name, what several cases share, as refusals are, and what is so
    short that it says nothing by itself: "no" and "2" stand in any instructions.
    """
    cases = task.partition("dev")
    choices = [spec for spec in task.config.graders if spec.kind == "choice"]
    labels = {normalise(each) for spec in choices for each in spec.choices or ()}
    labels |= {normalise(each) for each in _enums(list(task.schemas.values()))}
    counts: Counter[str] = Counter()
    for case in cases:
        chosen = {spec.field for spec in choices if spec.grades(case)}
        if None not in chosen:  # else the whole answer is a label
            counts.update({normalise(each) for each in _texts(case.expected, chosen)})
    return tuple(
        text for text, count in counts.items() if text not in labels and count < SHARED and len(text) >= TELLING
    )


def _texts(value: Any, chosen: Collection[str | None]) -> Iterator[str]:
    """Yield every text and number of an expected answer but for the fields whose value is chosen among labels."""
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict | list):
            yield value
            return
        value = parsed
    if isinstance(value, dict):
        value = [each for name, each in value.items() if name not in chosen]
    if isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, chosen)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _enums(value: Any) -> Iterator[str]:
    """Yield the values that schemas list."""
    if isinstance(value, dict):
        listed = value.get("enum")
        yield from map(str, listed if isinstance(listed, list) else ())
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _enums(each)


def _seen(case: Case, outcome: Outcome) -> dict[str, str]:
    remarks = [grade.why for grade in outcome.grades if grade.why and not grade.passed]
    verdict = "This is right." if outcome.passed else "This is not right. " + " ".join(remarks)
    return {"Task": case.question, "Answer": outcome.answer.text, "Remarks": verdict}


class _Silent:
    """GEPA tells every step; levers shows progress its own way."""

    def log(self, message: str) -> None:
        """Say nothing."""
        del message

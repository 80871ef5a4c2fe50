"""A realistic finished run, made of records: four steps, one rejected, hostile answers, secrets in test and edge."""

import json
from pathlib import Path
from random import Random
from typing import Any

from levers.diagnosis.records import CaseDiagnosis, Diagnosis, Headroom, Need, NeedShare, Tried
from levers.economics import CostFigure
from levers.economics.usage import Usage
from levers.loop.records import Measured, Opening, Run, Step, Target
from levers.plan.records import GateCheck, Option, Plan, Quote
from levers.stack.records import (
    Answer,
    Citation,
    Instruct,
    ModelRef,
    Passage,
    Retrieve,
    Shots,
    Stack,
    StepTrace,
    Structure,
)
from levers.task.records import Case, GraderSpec, Partition, Task, TaskConfig
from levers.trial import compare, summarise
from levers.trial.records import Comparison, Grade, Interval, Outcome, Trial
from levers.trial.statistics import wilson

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><script>alert(1)</script> {{ 7*7 }}"
SECRET = "the-test-cases-own-words"
UNBROKEN = "prices/" + "a_folder_with_a_long_name_" * 4 + ".yaml"
PRICE = "pocket on one core of a rented machine (assumed)"
QUESTIONS = (
    "How long do I have to send back boots I wore once outside?",
    "do u ship to Norway and what does it cost",
    "My Glint torch dies after an hour. Is that a warranty case?",
    "Which stove runs on both gas and petrol?",
    "Can I change the delivery address after I paid?",
)
SIZES: dict[Partition, int] = {"dev": 40, "test": 30, "edge": 12}


def cases() -> tuple[Case, ...]:
    """The golden set; test and edge cases carry a secret that no report may show."""
    made = []
    for partition, size in SIZES.items():
        for number in range(size):
            dev = partition == "dev"
            asked = QUESTIONS[number % len(QUESTIONS)] if dev else f"{SECRET} {partition} {number}?"
            expected = {"answer": ["30 days", "within 30 days"] if dev else SECRET, "topic": "returns"}
            made.append(
                Case(
                    id=f"{partition}-{number}",
                    input=asked,
                    expected=expected,
                    partition=partition,
                    evidence=(f"docs/policies/returns.md#{'after-use' if dev else SECRET}",),
                    user="ben" if number % 3 else None,
                    tags=("fact",),
                )
            )
    return tuple(made)


def task() -> Task:
    """The task of the run."""
    config = TaskConfig(
        name="support",
        instructions="brief.md",
        golden="golden.jsonl",
        graders=(GraderSpec(kind="schema"), GraderSpec(kind="contains", field="answer")),
    )
    return Task(root=Path(), config=config, instructions="Answer shortly.", cases=cases())


def passage(number: int) -> Passage:
    """A passage of a document."""
    text = "Worn outside, boots may come back within 30 days if they are clean. Send them with the slip." * 2
    return Passage(
        document=f"docs/policies/returns-{number}.md",
        section="after-use",
        heading="Returns > After use",
        text=text if number else f"{text} {HOSTILE}",
        start=0,
        end=len(text),
        score=0.9 - number / 10,
    )


def outcome(case: Case, passed: bool, stack: Stack, random: Random) -> Outcome:
    """An outcome: hostile where it fails."""
    retrieved = stack.part("retrieve") is not None
    secret = case.partition != "dev"
    text = json.dumps({"answer": SECRET if secret else "30 days", "topic": "returns"})
    if not passed:
        text = SECRET if secret else f"You can certainly ask! {HOSTILE}"
    steps = [StepTrace(name="retrieve", seconds=0.02 + random.random() / 50)] if retrieved else []
    steps.append(StepTrace(name="answer", seconds=0.3 + random.random() / 3))
    answer = Answer(
        id=case.id,
        text=text,
        citations=(Citation(number=1, document="d", section="s", start=0, end=4, quote="Worn"),) if retrieved else (),
        passages=tuple(passage(number) for number in range(3)) if retrieved else (),
        usage=Usage(input=300 + 200 * retrieved, output=12, compute_seconds=steps[-1].seconds),
        steps=tuple(steps),
    )
    grades = (
        Grade(grader="schema", credit=1.0, passed=True),
        Grade(grader="contains:answer", credit=float(passed), passed=passed, why="" if passed else f"found {text}"),
    )
    cost = (steps[-1].seconds + 0.1 * len(stack.parts)) * 0.00002
    return Outcome(case=case.id, passed=passed, score=1.0 if passed else 0.5, grades=grades, answer=answer, cost=cost)


def trial(partition: Partition, share: float, stack: Stack) -> Trial:
    """A trial in which the first cases pass."""
    random, made = Random(7), task()
    chosen = made.partition(partition)
    passing = round(share * len(chosen))
    outcomes = [outcome(case, place < passing, stack, random) for place, case in enumerate(chosen)]
    return summarise(made, chosen, outcomes, stack=stack.digest, cost_source=PRICE)


def diagnosis(stack: Stack, dev: Trial) -> Diagnosis:
    """A diagnosis of the failing cases of a trial."""
    kinds = (
        Need(name="retrieval", detail="buried", because="the evidence ranked 6, but only 3 passages are shown"),
        Need(name="knowledge", detail="not in the documents", because="no document holds the evidence"),
        Need(name="format", because="imposing the answer's schema was needed for it to pass"),
        Need(name="unexplained", detail="still wrong", because=f"none of 7 experiments made it pass {HOSTILE}"),
    )
    failing = [each for each in dev.outcomes if not each.passed]
    found = []
    for place, each in enumerate(failing):
        needs = (kinds[place % 4],) if place % 3 else (kinds[place % 4], kinds[2])
        tried = (
            Tried(probes=(), passed=False, score=0.5, answer=each.answer.text),
            Tried(probes=("format",), passed=False, score=0.5, answer=f'{{"answer": "{UNBROKEN}"}}'),
            Tried(probes=("format", "knowledge"), passed=place % 4 != 3, score=1.0, answer='{"answer": "30 days"}'),
        )
        found.append(CaseDiagnosis(case=each.case, needs=tuple(dict.fromkeys(needs)), tried=tried))
    size = len(dev.outcomes)
    counts: dict[Any, int] = {}
    for case in found:
        for need in case.needs:
            counts[need.name] = counts.get(need.name, 0) + 1
    return Diagnosis(
        stack=stack.digest,
        measured=size,
        failures=len(failing),
        needs={
            name: NeedShare(cases=number, share=number / size, interval=wilson(number, size))
            for name, number in counts.items()
        },
        cases=tuple(found),
        headroom=(
            Headroom(
                probes=("knowledge",),
                gain=0.31,
                interval=Interval(low=0.2, high=0.42),
                score_gain=0.2,
                score_interval=Interval(low=0.11, high=0.3),
                unlocks=0.4,
            ),
        ),
    )


def quote(lever: str, gain: float, effort: str = "hours", met: bool = True) -> Quote:
    """A quote with a data gate."""
    return Quote.model_validate(
        {
            "lever": lever,
            "answers": "knowledge, retrieval",
            "gain": gain,
            "interval": {"low": gain - 0.09, "high": gain + 0.1},
            "score_gain": gain / 2,
            "score_interval": {"low": gain / 2 - 0.05, "high": gain / 2 + 0.05},
            "unlocks": gain + 0.05,
            "one_time": CostFigure(
                value=1200, provenance="assumed", source="field figures: a retrieval project, 1,200 to 9,000 USD"
            ),
            "per_answer": CostFigure(value=0.000013, provenance="price book", source=f"{PRICE}; scaled by 1.61"),
            "latency_ms": CostFigure(value=42, unit="ms", provenance="measured", source="this trial's median"),
            "gates": (
                GateCheck(
                    goal="tune a format",
                    have=312,
                    need=100 if met else 1000,
                    usual=1000,
                    unit="examples",
                    met=met,
                    source="field figures, data gates",
                ),
            ),
            "effort": effort,
            "freshness": "as of the last index",
            "settings": {"k": 4} if lever == "retrieve" else {},
        }
    )


def plan(stack: Stack, following: str | None) -> Plan:
    """A plan that names this lever next."""
    options = []
    for lever, gain in (("structure", 0.12), ("retrieve", 0.31), ("examples", 0.05), ("tune", 0.0)):
        verdict = "next" if lever == following else "no" if lever == "tune" else "later"
        why = {
            "next": "cheapest lever that helps: its probe gains +0.31 passes, 36% of the cases need it",
            "later": "waits: structure takes minutes, this hours",
            "no": "data gate: tune a format needs 1000 examples, you have 312 (field figures, data gates)",
        }[verdict]
        options.append(Option(quote=quote(lever, gain, met=lever != "tune"), verdict=verdict, why=why))
    return Plan(stack=stack.digest, options=tuple(options), next=following)


def compared(old: Trial | None, new: Trial | None, measure: Any = "pass") -> Comparison | None:
    """Compare two trials if there are two."""
    return compare(old, new, measure) if old and new else None


def a_run() -> Run:
    """Four steps after the start: structure and retrieve kept, examples rejected, tune kept."""
    plain = Stack(model=ModelRef(id="pocket"), parts=(Instruct(text="Answer shortly."),))
    shaped = plain.with_part(Structure(json_schema={"type": "object", "properties": {"answer": {}, "topic": {}}}))
    found = shaped.with_part(Retrieve(index="sha256-0123456789abcdef", k=3))
    shown = found.with_part(Shots(pairs=(("a", "b"), ("c", "d"))))
    tuned = found.model_copy(update={"model": ModelRef(id="pocket", adapter="sha256-feedfacefeedface")})
    story = (
        ("structure", plain, shaped, (0.30, 0.27, 0.25), "accepted"),
        ("retrieve", shaped, found, (0.60, 0.57, 0.25), "accepted"),
        ("examples", found, shown, (0.55, 0.0, 0.0), "rejected"),
        ("tune", found, tuned, (0.75, 0.70, 0.33), "accepted"),
    )
    start = Measured(dev=trial("dev", 0.15, plain), test=trial("test", 0.13, plain), edge=trial("edge", 0.25, plain))
    steps = [Step(number=0, lever="start", stack=plain, measured=start, verdict="start", why="the plain prompt")]
    now = start
    for number, (lever, before, after, shares, verdict) in enumerate(story, start=1):
        kept = verdict == "accepted"
        measured = Measured(
            dev=trial("dev", shares[0], after),
            test=trial("test", shares[1], after) if kept else None,
            edge=trial("edge", shares[2], after) if kept else None,
        )
        steps.append(
            Step.model_validate(
                {
                    "number": number,
                    "lever": lever,
                    "settings": {"k": 3} if lever == "retrieve" else {},
                    "stack": after,
                    "measured": measured,
                    "diagnosis": diagnosis(before, now.dev),
                    "plan": plan(before, lever),
                    "dev_pass": compared(now.dev, measured.dev),
                    "dev_score": compared(now.dev, measured.dev, "score"),
                    "test_pass": compared(now.test, measured.test),
                    "test_score": compared(now.test, measured.test, "score"),
                    "edge_pass": compared(now.edge, measured.edge),
                    "p_value": 0.0123 if kept else 0.62,
                    "tries": number,
                    "verdict": verdict,
                    "why": "dev +0.200 credit, +0.300 passes; test agrees (p = 0.0040)"
                    if kept
                    else "dev is worse: 2 cases lost, 0 gained",
                    "changed": "3 passages come before each question (hybrid search)" if lever == "retrieve" else "",
                    "material": "42 documents, 310 passages" if lever == "retrieve" else "",
                    "notes": ("k=2: 0.52 credit on dev", "k=4: 0.57 credit on dev") if lever == "retrieve" else (),
                }
            )
        )
        if kept:
            now = measured
    return Run(
        id="run-0123456789ab",
        task=task().digest,
        name="support",
        model="pocket",
        seed=0,
        levers_version="0.1.0",
        steps=tuple(steps),
        openings=(
            Opening(step=1, stack=plain.digest, reason="the stack the step started from"),
            Opening(step=1, stack=shaped.digest, reason="a pull that dev kept"),
            Opening(step=2, stack=found.digest, reason="a pull that dev kept"),
            Opening(step=4, stack=tuned.digest, reason="a pull that dev kept"),
        ),
        stack=tuned,
        final=now,
        after=diagnosis(tuned, now.dev),
        closing=plan(tuned, None),
        targets=(
            Target(
                name="quality",
                wanted=0.85,
                reached=now.test.quality if now.test else None,
                met=False,
                unit="share of test cases that pass",
                provenance="measured",
            ),
            Target(
                name="cost_per_answer",
                wanted=0.004,
                reached=0.000012,
                met=True,
                unit="USD",
                provenance=f"measured usage; price {PRICE}",
            ),
            Target(name="p95_ms", wanted=1500, reached=642.0, met=True, unit="ms", provenance="measured"),
        ),
        targets_met=False,
        stopped="no lever pays any more",
        seconds=262.4,
        report=".levers/runs/run-0123456789ab/report.html",
    )

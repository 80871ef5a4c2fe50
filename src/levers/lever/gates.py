"""What is checked before anything is trained: the reviewed examples against themselves, the golden set, the documents.

A hard finding (a leak, a contradiction, too much that the task's own graders refuse) stops a pull unless it is forced;
a soft one is told. Faulty examples are left out either way.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from levers.economics import Usage
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import CHARACTERS_PER_TOKEN, gate_check
from levers.lever.situation import Situation
from levers.plan import GateCheck
from levers.stack import Answer, Stack
from levers.task.dev import golden_leaks
from levers.task.leaks import first_value
from levers.task.records import Case, Example, GraderKind, GraderSpec, Task
from levers.task.references import split_reference
from levers.task.rules import plain
from levers.trial import Kit, grade
from levers.tuning import Finding, Sample, inspect_samples

_BY_FORM: tuple[GraderKind, ...] = ("exact", "contains", "f1", "regex", "numeric", "schema", "choice", "tone")
MOST_REFUSED = 0.1  # share of examples that the task's graders may refuse before the reviewing is in doubt
LEAST_CLASS = 10  # examples of a label; fewer teach its name and not its use
LEAST_SHARE = 0.05  # of the commonest label's examples
FORCED = "forced.jsonl"
_NAMED = 6  # lines named in one row of the plan

Texts = Callable[[Example], str]
"""What the documents say in the sections that an example names as its evidence; empty where they say nothing."""


class Guarded(Record):
    """What the guards found in `examples` examples of `file`, ordered by line; `labels` counts each graded label.

    `grounded`: the stack shows passages or documents beside the question, so that facts need not be learnt.
    """

    file: str
    examples: int
    findings: tuple[Finding, ...] = ()
    labels: tuple[tuple[str, int], ...] = ()
    grounded: bool = False

    def of(self, *kinds: str) -> tuple[Finding, ...]:
        """Return the findings of these kinds."""
        return tuple(finding for finding in self.findings if finding.kind in kinds)

    @property
    def left_out(self) -> frozenset[int]:
        """Lines that are not trained on."""
        return frozenset(each.line for each in self.of("empty", "duplicate", "contradiction", "leak", "format"))

    @property
    def stops(self) -> tuple[Problem, ...]:
        """Return what must be mended or forced."""
        hint = "mend it, or force the pull: this line is then left out, and that is recorded"
        hard = [*self.of("leak", "contradiction"), *(self.of("format") if self._refused else ())]
        return tuple(
            Problem(file=self.file, line=each.line, found=f"{each.kind}: {each.detail}", expected="none", hint=hint)
            for each in sorted(hard, key=lambda each: each.line)
        )

    @property
    def _refused(self) -> bool:
        return len(self.of("format")) > MOST_REFUSED * self.examples

    def checks(self) -> tuple[GateCheck, ...]:
        """Return a row for each guard, as plan and report show them."""
        rare = [(name, count) for name, count in self.labels if count < self._least_label]
        facts = self.of("fact")
        return (
            self._row("leaks from the golden set", self.of("leak"), "exact, near, quoted, by source"),
            self._row("contradictory examples", self.of("contradiction"), "same question, other answer"),
            self._row("repeated examples", self.of("duplicate", "near duplicate"), "left out if equal", blocks=False),
            self._row(
                "examples the task's graders refuse",
                self.of("format"),
                "left out",
                most=int(MOST_REFUSED * self.examples),
            ),
            self._row("personal data not in the documents", self.of("personal data"), "would be learnt", blocks=False),
            GateCheck(
                goal="rare labels",
                have=len(rare),
                need=0,
                usual=0,
                unit="labels",
                met=not rare,
                source=f"guard: {', '.join(f'{name} {count}' for name, count in rare) or 'class balance'}",
                at_most=True,
                blocks=False,
            ),
            self._row(
                "facts taught without their passage",
                () if self.grounded else facts,
                "the documents hold them: retrieval keeps facts fresh, weights do not (S0)",
                blocks=False,
            ),
        )

    @property
    def _least_label(self) -> float:
        return max(LEAST_CLASS, LEAST_SHARE * max((count for _, count in self.labels), default=0))

    def _row(self, goal: str, found: Sequence[Finding], what: str, blocks: bool = True, most: int = 0) -> GateCheck:
        lines = ", ".join(f"{self.file}:{each.line}" for each in found[:_NAMED])
        return GateCheck(
            goal=goal,
            have=len(found),
            need=most,
            usual=most,
            unit="examples",
            met=len(found) <= most,
            source=f"guard: {what}" + (f"; {lines}{' …' if len(found) > _NAMED else ''}" if lines else ""),
            at_most=True,
            blocks=blocks,
        )

    def notes(self) -> tuple[str, ...]:
        """Return a line for each finding, facts in one line together."""
        facts = self.of("fact")
        lines = [
            f"{self.file}:{each.line}: {each.kind}, {each.detail}"
            + (" (left out)" if each.line in self.left_out else "")
            for each in self.findings
            if each.kind != "fact"
        ]
        if facts and not self.grounded:
            share = f"{len(facts)} of {self.examples} examples hold facts of the documents"
            advice = "retrieve before you tune, so that the facts stand in their prompts"
            lines.append(f"{share} (first: line {facts[0].line}): {advice}")
        lines += [f"label {name}: {count} examples only" for name, count in self.labels if count < self._least_label]
        return tuple(lines)


def guard(situation: Situation) -> Guarded:
    """Run every guard on the project's examples, once for the same task and documents in a process."""
    stack, task, index = situation.stack, situation.bench.task, situation.index()
    key = (task.digest, index.digest if index else "")
    if key not in _known:
        _known.clear()
        _known[key] = inspect(task, situation.bench.tools, evidence_texts(situation))
    grounded = stack.part("retrieve") is not None or stack.part("inline") is not None
    return _known[key].model_copy(update={"grounded": grounded})


_known: dict[tuple[str, str], Guarded] = {}


def inspect(task: Task, kit: Kit, texts: Texts, grounded: bool = False) -> Guarded:
    """Run every guard on a task's examples; `texts` gives what the documents say to an example."""
    examples = task.examples
    as_written = [Sample(messages=each.messages, answer=each.answer, line=each.line) for each in examples]
    said = {each.line: texts(each) for each in examples}
    found = [
        each
        for each in inspect_samples(as_written)
        if each.kind != "personal data" or each.detail.partition(": ")[2] not in said[each.line]
    ]
    found += _leaked(task, examples)
    found += _refused(task, kit, examples)
    found += _facts(examples, said)
    return Guarded(
        file=task.config.examples or "examples",
        examples=len(examples),
        findings=tuple(sorted(found, key=lambda each: (each.line, each.kind))),
        labels=_labels(task, examples),
        grounded=grounded,
    )


def data_gate(task: Task, usable: int) -> GateCheck:
    """Set the examples that are left to tune on against the field's data gate for answers of this form."""
    found = gate_check("structured output" if task.answer_schema else "style", usable)
    if usable == len(task.examples):
        return found
    left_out = f"{len(task.examples) - usable} of {len(task.examples)} examples are left out"
    return found.model_copy(update={"source": f"{found.source}; {left_out}"})


def check_lengths(situation: Situation, window: int) -> GateCheck:
    """Return the row for examples that the model's window does not hold; they are left out, never cut.

    Estimated from the longest prompt that dev measured, passages included, at four characters a token for what an
    example's question and answer differ from it.
    """
    task = situation.bench.task
    asked = {case.id: case.question for case in task.cases}
    prompts = [(_prompt_tokens(each.answer.usage), len(asked[each.case])) for each in situation.trial.outcomes]
    longest, question = max(prompts, default=(0, 0))
    over = [
        each.line
        for each in task.examples
        if longest + (len(each.question) - question + len(each.answer)) / CHARACTERS_PER_TOKEN > window
    ]
    lines = "".join(f"; {task.config.examples}:{line}" for line in over[:_NAMED])
    return GateCheck(
        goal="examples beyond the model's window",
        have=len(over),
        need=0,
        usual=0,
        unit="examples",
        met=not over,
        source=f"guard: left out; {window:,} tokens fit, the longest prompt on dev has {longest:,}{lines}",
        at_most=True,
        blocks=False,
    )


def _prompt_tokens(usage: Usage) -> int:
    return usage.input + usage.cache_read + usage.cache_write


def check_force(guarded: Guarded, gates: Sequence[GateCheck], force: bool) -> tuple[str, ...]:
    """Refuse a pull that a guard or a data gate stops; when forced, return the notes that record it.

    Raises:
        UserError: something stops the pull and it is not forced.
    """
    short = [
        Problem(
            file=guarded.file,
            found=f"{gate.have} {gate.unit}",
            expected=f"at least {gate.need} for {gate.goal} ({gate.source})",
            hint="bring more reviewed examples, or force the pull: that is recorded",
        )
        for gate in gates
        if gate.blocks and not gate.met and not gate.at_most
    ]
    stops = [*guarded.stops, *short]
    if stops and not force:
        raise UserError(stops)
    return tuple(f"forced past {each.file}{f':{each.line}' if each.line else ''}: {each.found}" for each in stops)


def record_force(state: Path, lever: str, stack: Stack, past: Sequence[str]) -> None:
    """Write down what a pull was forced past: one line in the project's `forced.jsonl`."""
    if past:
        line = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "lever": lever,
            "stack": stack.digest,
            "past": past,
        }
        with (state / FORCED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def evidence_texts(situation: Situation) -> Texts:
    """Return what looks an example's evidence up in the index."""
    index = situation.index()

    def texts(example: Example) -> str:
        if index is None:
            return ""
        pairs = map(split_reference, example.evidence)
        return "\n".join(each.text for document, section in pairs for each in index.section(document, section))

    return texts


def _leaked(task: Task, examples: Sequence[Example]) -> list[Finding]:
    return [
        Finding(
            kind="leak",
            line=examples[leak.example].line,
            detail=f"{leak.how} of golden case {leak.case} ({leak.partition})",
        )
        for leak in golden_leaks(task, examples)
    ]


def _refused(task: Task, kit: Kit, examples: Sequence[Example]) -> list[Finding]:
    """Grade each example's answer against itself: what then fails is its form."""
    specs = [spec for spec in task.config.graders if spec.kind in _BY_FORM and spec.only is None]
    findings = []
    for example in examples:
        case = Case(id=f"line {example.line}", input=example.messages, expected=_wanted(example), partition="dev")
        given = Answer(id=case.id, text=example.answer)
        grades = [(spec, grade(spec, case, given, kit)) for spec in specs]
        faults = [f"{spec.name}: {got.why}" for spec, got in grades if got.passed is False and not got.crashed]
        if faults:
            findings.append(Finding(kind="format", line=example.line, detail="; ".join(faults)))
    return findings


def _wanted(example: Example) -> str | dict[str, object]:
    parsed = _object(example.answer)
    return example.answer if parsed is None else parsed


def _facts(examples: Sequence[Example], said: dict[int, str]) -> list[Finding]:
    """Find the examples whose answer is a fact of their evidence: it stands there, and for no other evidence."""
    places: dict[str, set[str]] = {}
    for example in examples:
        places.setdefault(plain(first_value(example.answer)), set()).update(example.evidence)
    findings = []
    for example in examples:
        value = plain(first_value(example.answer))
        if not value or not example.evidence or not said[example.line]:
            continue
        if len(places[value]) == 1 and f" {value} " in f" {plain(said[example.line])} ":
            findings.append(
                Finding(kind="fact", line=example.line, detail=f"{value!r} stands in {example.evidence[0]}")
            )
    return findings


def _labels(task: Task, examples: Sequence[Example]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for spec in task.config.graders:
        if spec.kind == "choice" and spec.choices and spec.only is None:
            given = Counter(_value(example.answer, spec) for example in examples)
            counts.update({f"{spec.field or 'answer'} {each}": given[plain(each)] for each in spec.choices})
    return tuple(counts.items())


def _value(answer: str, spec: GraderSpec) -> str:
    parsed = _object(answer)
    return plain(str(parsed.get(spec.field, "")) if parsed is not None and spec.field else answer)


def _object(answer: str) -> dict[str, object] | None:
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None

"""instruct: write the rules that the graders apply into the prompt, from schema, graders and how dev wants refusals."""

import json
from collections import Counter
from importlib.util import find_spec
from typing import Any

from pydantic import Field

from levers.diagnosis import ProbeName, first_answer
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, quote, tokens
from levers.lever.reflect import price_of, reflect
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import best_of, parse, unless_better
from levers.plan import Quote
from levers.stack import Instruct, Stack
from levers.task.records import Task

REFLECT = 200  # graded answers that a run spends on reflection
_NOTHING = "the graders ask for no form or label that could be written down"
LEAST_REFUSALS = 3  # the same answer to so many dev cases without evidence is the house's way to say it does not know


class Settings(Record):
    """Whether the brief's own words stay before the rules; None leaves them out only if dev is decisively better so.

    With `reflect` the reference model then rewrites what is best so far, for at most so many graded answers, and at
    most `usd` USD where that is given.
    """

    keep_brief: bool | None = None
    reflect: int | None = Field(default=None, ge=8)
    usd: float | None = Field(default=None, gt=0)


class InstructLever:
    """Adds to the brief what the graders demand of form and labels; facts stay out of it."""

    name = "instruct"
    probes: tuple[ProbeName, ...] = ("format", "instruction")
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ()

    def quote(self, situation: Situation) -> Quote:
        """Quote the rules first; once they are in the prompt, reflection, where a reference model is named."""
        text = rules(situation.bench.task)
        settings, blocked = _next(situation, text)
        terms = Terms(
            answers="instruction, format",
            settings=settings,
            added_tokens=tokens(text),
            blocked=blocked,
            one_time=price_of(situation, REFLECT) if settings else None,
        )
        return quote(self.name, self.probes, situation, terms)

    def check(self, task: Task, settings: dict[str, Any], stack: Stack) -> None:
        """Refuse graders that ask for nothing that could be written down, where no reflection is asked for."""
        del stack
        if not rules(task) and not parse(Settings, self.name, settings).reflect:
            expected = "graders that ask for a form or a label"
            raise UserError(Problem(file="levers.yaml", field="graders", expected=expected))

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Put the rules after the brief, or in its place where that measures decisively better."""
        chosen = parse(Settings, self.name, settings)
        written = rules(situation.bench.task)
        self.check(situation.bench.task, settings, situation.stack)
        with_brief, alone = (_written(situation, keep) for keep in (True, False))
        stack, notes = alone if chosen.keep_brief is False else with_brief, tuple[str, ...]()
        if written and chosen.keep_brief is None:
            usual, other = ("brief and rules", with_brief), ("rules alone", alone)
            stack, notes = unless_better(situation, self.name, usual, other)
        material, text = "the graders and the answer's schema", _text(stack)
        brief = situation.bench.task.instructions
        left_out = "" if not brief or text.startswith(brief) else "; the rules replace the brief, which is left out"
        if chosen.reflect:
            found = reflect(situation, text, chosen.reflect, chosen.usd)
            reflected = situation.stack.with_part(Instruct(text=found.text))
            pairs = [("as written", stack), ("reflected", reflected)] if found.text != text else [("as written", stack)]
            stack, measured = best_of(situation, self.name, pairs)
            notes = (*notes, *found.notes, *measured)
            material += ", and dev as the reference model read it"
        changed = f"the system message spells out form and labels (about {tokens(_text(stack)):.0f} tokens){left_out}"
        return Pulled(stack=stack, changed=changed, material=material, notes=notes)


def _next(situation: Situation, text: str) -> tuple[dict[str, Any], str]:
    """Return the next pull's settings, or why there is none."""
    part = situation.stack.part("instruct")
    written = bool(text) and isinstance(part, Instruct) and text in part.text
    if any(each.accepted and each.settings.get("reflect") for each in situation.attempts if each.lever == "instruct"):
        return {}, "the reference model has rewritten the instructions already"
    if text and not written:
        return {}, ""
    if situation.bench.task.config.models.reference and find_spec("gepa"):
        return {"reflect": REFLECT}, ""
    return {}, "the rules are in the prompt already" if text else _NOTHING


def _text(stack: Stack) -> str:
    part = stack.part("instruct")
    return part.text if isinstance(part, Instruct) else ""


def _written(situation: Situation, keep_brief: bool) -> Stack:
    task = situation.bench.task
    parts = [each for each in (task.instructions if keep_brief else "", rules(task)) if each]
    return situation.stack.with_part(Instruct(text="\n\n".join(parts)))


def rules(task: Task) -> str:
    """Write the graders' demands as instructions; empty when they make none of form or label."""
    lines: list[str] = []
    schema = task.answer_schema
    properties: dict[str, Any] = schema.get("properties", {}) if schema else {}
    if properties:
        keys = " and ".join(f'"{key}"' for key in properties)
        lines.append(f"Reply with only a JSON object with the keys {keys}.")
    named = {spec.field: spec.choices for spec in task.config.graders if spec.kind == "choice" and spec.choices}
    for key, choices in named.items():
        subject = f'"{key}" is' if key else "The answer is"
        lines.append(f"{subject} one of: {', '.join(choices)}.")
    for key, value in properties.items():
        if "enum" in value and key not in named:
            lines.append(f'"{key}" is one of: {", ".join(str(each) for each in value["enum"])}.')
    lines.extend(f"The answer matches the pattern {spec.pattern}." for spec in task.config.graders if spec.pattern)
    if any(spec.kind == "citation" for spec in task.config.graders):
        lines.append("Cite the passage you used by its number, like [1].")
    lines.extend(_refusal(task))
    return "\n".join(lines)


def _refusal(task: Task) -> list[str]:
    """Write down what dev expects where no evidence is named, if that is one answer and not many.

    Where no case names evidence, none is missing: the most frequent answer is then a label like any other.
    """
    if not any(case.evidence for case in task.partition("dev")):
        return []
    wanted = Counter(first_answer(case) for case in task.partition("dev") if not case.evidence).most_common(1)
    if not wanted or wanted[0][1] < LEAST_REFUSALS:
        return []
    try:
        parsed = json.loads(wanted[0][0])
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        values = " and ".join(f'"{key}" is "{value}"' for key, value in parsed.items())
        return [f"If the passages do not hold the answer, {values}."]
    return [f'If the passages do not hold the answer, reply "{wanted[0][0]}".']

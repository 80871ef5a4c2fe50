"""structure: impose the answer's JSON Schema, while decoding on a local model, as `response_format` on a server.

What a server lets through all the same can be sent back once, as a counted fallback.
"""

import json
from dataclasses import replace
from typing import Any

from pydantic import Field

from levers.diagnosis import ProbeName
from levers.economics import threshold
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, quote
from levers.lever.room import room_of_cases
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import parse
from levers.model import is_hosted
from levers.plan import Quote
from levers.stack import Stack, Structure, wrong_form
from levers.task.records import GraderSpec, Task
from levers.trial.records import Outcome, Trial


class Settings(Record):
    """How often a reply that is not valid goes back; None: never here, and once where a server lets too many through.

    The schema is the task's.
    """

    repairs: int | None = Field(default=None, ge=0, le=3)


class StructureLever:
    """Makes every answer valid JSON of the schema that the task's graders ask for."""

    name = "structure"
    probes: tuple[ProbeName, ...] = ("format",)
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ()

    def quote(self, situation: Situation) -> Quote:
        """Quote from the format probe, which imposes the same schema: perfect and product are one.

        Choices and patterns have no probe: there it is the share of answers that fail and are none of them, at most.
        """
        part = form_of(situation.bench.task)
        blocked = "" if part else "no grader names a schema, choices or a pattern for the whole answer"
        if situation.stack.part("structure"):
            blocked = "the form is imposed already"
        terms = Terms(answers="format", settings={}, blocked=blocked)
        if part and part.unwrap:
            terms = replace(terms, room=room_of_cases(situation, lambda outcome: _misshapen(outcome, part)))
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Add the schema to the stack."""
        chosen = parse(Settings, self.name, settings)
        form = form_of(situation.bench.task)
        if form is None:
            expected = "a schema, choice or regex grader without a field, for the whole answer"
            raise UserError(Problem(file="levers.yaml", field="graders", expected=expected))
        names = ", ".join(
            spec.schema_file or spec.kind for spec in situation.bench.task.config.graders if _shapes(spec)
        )
        part = form.model_copy(update={"repairs": chosen.repairs or 0})
        what = "the choices or pattern of the graders" if part.unwrap else "the task's JSON Schema"
        changed = f"answers are decoded under {what}"
        if not is_hosted(situation.stack.model.id):
            return Pulled(stack=situation.stack.with_part(part), changed=changed, material=names)
        stack, notes = _with_repair(situation, part, chosen.repairs is None)
        return Pulled(stack=stack, changed=changed, material=names, notes=notes)


def form_of(task: Task) -> Structure | None:
    """Return the form that the graders ask of the whole answer: a schema, else choices, else a pattern; None if none.

    Choices and patterns are put into an object of one key, which every provider and the local decoder enforce alike.
    """
    if task.answer_schema is not None:
        return Structure(json_schema=task.answer_schema)
    for spec in task.config.graders:
        if spec.kind == "choice" and not spec.field and spec.choices:
            return _around({"enum": list(spec.choices)})
    for spec in task.config.graders:
        if spec.kind == "regex" and not spec.field and spec.pattern:
            return _around({"type": "string", "pattern": spec.pattern})
    return None


def _around(value: dict[str, Any]) -> Structure:
    schema = {"type": "object", "properties": {"answer": value}, "required": ["answer"], "additionalProperties": False}
    return Structure(json_schema=schema, unwrap=True)


def _shapes(spec: GraderSpec) -> bool:
    return spec.kind in {"schema", "choice", "regex"} and not spec.field


def _misshapen(outcome: Outcome, part: Structure) -> bool:
    """Tell whether an answer fails and has not the form: imposing it could mend that at most."""
    return outcome.failed and bool(_wrong(outcome.answer.text, part))


def _wrong(text: str, part: Structure) -> str:
    return wrong_form(json.dumps({"answer": text}) if part.unwrap else text, part.json_schema)


def _with_repair(situation: Situation, part: Structure, free: bool) -> tuple[Stack, tuple[str, ...]]:
    """Measure on dev how many replies are not valid before, with the schema asked for, and after repair.

    Repair is added where it is free to choose and more fail than may: 0.5 % (S2). What fails still wants tuning.
    """
    limit = threshold("schema failures, tuning")
    stack = situation.stack.with_part(part)
    notes = [f"{_failing(situation.trial, part):.1%} of the replies were not valid before"]
    trial = situation.bench.trial(stack, "dev", "structure, the schema asked for")
    notes.append(f"{_failing(trial, part):.1%} with the schema asked of the server{_counted(trial)}")
    if free and _failing(trial, part, mendable=True) > limit.low:
        stack = situation.stack.with_part(part.model_copy(update={"repairs": 1}))
        trial = situation.bench.trial(stack, "dev", "structure, with repair")
        notes.append(f"{_failing(trial, part):.1%} after repair{_counted(trial)}")
    over = _failing(trial, part) > limit.low
    word = "tune for format" if over else "no reason to tune for format"
    notes.append(f"the threshold is {limit.low:.1%} to {limit.high:.0%} ({limit.source}): {word}")
    return stack, tuple(notes)


def _failing(trial: Trial, part: Structure, mendable: bool = False) -> float:
    """Share of the replies that came and are not valid under the schema; `mendable` counts none that was cut."""
    replies = [each.answer for each in trial.outcomes if not each.answer.error]
    wrong = [each for each in replies if _wrong(each.text, part)]
    return sum(not mendable or each.finish != "length" for each in wrong) / max(1, len(replies))


def _counted(trial: Trial) -> str:
    sent_back = sum(any(step.name == "repair" for step in each.answer.steps) for each in trial.outcomes)
    return f", {sent_back} of {len(trial.outcomes)} sent back" if sent_back else ""

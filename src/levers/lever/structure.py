"""structure: impose the answer's JSON Schema, while decoding on a local model, as `response_format` on a server."""

from typing import Any

from levers.diagnosis import ProbeName
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, quote
from levers.lever.situation import Pulled, Situation
from levers.lever.variants import parse
from levers.plan import Quote
from levers.stack import Structure


class Settings(Record):
    """Nothing to set: the schema is the task's."""


class StructureLever:
    """Makes every answer valid JSON of the schema that the task's graders ask for."""

    name = "structure"
    probes: tuple[ProbeName, ...] = ("format",)

    def quote(self, situation: Situation) -> Quote:
        """Quote from the format probe, which imposes the same schema: perfect and product are one."""
        blocked = "" if situation.bench.task.answer_schema else "no grader names a schema for the whole answer"
        if situation.stack.part("structure"):
            blocked = "the schema is imposed already"
        return quote(self.name, self.probes, situation, Terms(answers="format", settings={}, blocked=blocked))

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Add the schema to the stack."""
        parse(Settings, self.name, settings)
        schema = situation.bench.task.answer_schema
        if schema is None:
            expected = "a schema grader without a field, which names the answer's JSON Schema"
            raise UserError(Problem(file="levers.yaml", field="graders", expected=expected))
        names = ", ".join(
            spec.schema_file or "" for spec in situation.bench.task.config.graders if spec.kind == "schema"
        )
        return Pulled(
            stack=situation.stack.with_part(Structure(json_schema=schema)),
            changed="answers are decoded under the task's JSON Schema",
            material=names,
        )

"""Small tasks, cases and answers for the tests of trials."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from levers.economics.usage import Usage
from levers.stack.records import Answer, Citation, Question, StepTrace
from levers.task.records import Case, GraderSpec, Partition, Task, TaskConfig
from levers.trial import Grade, Kit, grade


def a_case(expected: Any, *, id: str = "c1", evidence: tuple[str, ...] = (), partition: Partition = "dev") -> Case:
    return Case(id=id, input="How long?", expected=expected, partition=partition, evidence=evidence)


def a_spec(kind: str, **fields: Any) -> GraderSpec:
    return GraderSpec.model_validate({"kind": kind, **fields})


def a_grade(kind: str, expected: Any, text: str, schemas: dict[str, Any] | None = None, **fields: Any) -> Grade:
    return grade(a_spec(kind, **fields), a_case(expected), Answer(id="c1", text=text), Kit(schemas=schemas or {}))


def a_citation(document: str, section: str, quote: str = "within 3 days") -> Citation:
    return Citation(number=1, document=document, section=section, start=0, end=len(quote), quote=quote)


def a_task(cases: Sequence[Case], *specs: GraderSpec) -> Task:
    config = TaskConfig(name="t", instructions="brief.md", golden="golden.jsonl", graders=specs or (a_spec("exact"),))
    return Task(root=Path("."), config=config, instructions="Answer.", cases=tuple(cases))


def answering(replies: dict[str, str]) -> Any:
    """An answerer that knows its replies by id and uses 10 input tokens, 1 s of search and 2 s of generation each."""

    def answerer(questions: Sequence[Question]) -> list[Answer]:
        steps = (StepTrace(name="retrieve", seconds=1.0), StepTrace(name="generate", seconds=2.0))
        return [Answer(id=q.id, text=replies[q.id], usage=Usage(input=10, output=1), steps=steps) for q in questions]

    return answerer

"""What a team says about its case before there is data: symptoms, volumes, limits, what is at hand."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from levers.economics import Range, Reader, figure
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.ledger.yaml import parse_yaml
from levers.plan.facts import data, scorecard, signals
from levers.task.config import line_of
from levers.task.text import read_text

PRIVACY = ("none", "access", "on-premise")
EXPERTISE = ("low", "medium", "high")
STAGES = ("scratch", "retrieval", "tuned", "choosing")
_SEVERAL = ("symptoms", "tried", "weights")  # questions that take a list
_NAMED = ("symptoms", "stage", "privacy", "expertise", "tried", "weights")  # questions answered by names
_COUNTED = ("corpus", "examples", "golden", "pairs", "labels", "prompt", "output")
_MEASURED = ("documents_change", "requirements_change", "volume", "p95_ms", "schema_failures", "seconds")
LIVE = 100_000.0  # times a year: "live" is faster than any index is built


def known(question: str) -> tuple[str, ...]:
    """Return the names that answer a question."""
    choices = {"privacy": PRIVACY, "expertise": EXPERTISE, "stage": STAGES}
    if question in choices:
        return choices[question]
    if question == "weights":
        return tuple(each.dimension for each in scorecard())
    return tuple(signals()) if question == "symptoms" else tuple(data()["levers"])


class Circumstances(Record):
    """A team's case as it tells it; None where it did not say. Rates are times a year, lengths tokens.

    `schema_failures` is the share that still fails under structured output; `tried` are levers pulled in vain;
    `seconds` is how long a machine of the team's own computes for an answer; `weights` are the user's own for the
    scorecard, 1 unless given. A name that no table knows, and a figure that is none, are refused.
    """

    symptoms: tuple[str, ...] = ()
    stage: str | None = None
    documents_change: float | None = None
    requirements_change: float | None = None
    corpus: int | None = None
    volume: float | None = None
    p95_ms: float | None = None
    privacy: str = "none"
    expertise: str | None = None
    examples: int | None = None
    golden: int | None = None
    pairs: int | None = None
    labels: int | None = None
    citations: bool = False
    schema_failures: float | None = Field(default=None, le=1)
    model: str = "openai/gpt-4o"
    prompt: int = 2000
    output: int = 200
    seconds: float | None = None
    week: Range | None = None
    tried: tuple[str, ...] = ()
    weights: dict[str, float] = Field(default_factory=dict)

    @field_validator(*_NAMED)
    @classmethod
    def _is_known(cls, value: Any, info: ValidationInfo) -> Any:
        names = known(info.field_name or "")
        for each in (value,) if isinstance(value, str) else value or ():
            if each not in names:
                raise ValueError(f"{each!r} is none of {', '.join(names)}")
        return value

    @field_validator(*_COUNTED, *_MEASURED, "weights")
    @classmethod
    def _is_figure(cls, value: Any) -> Any:
        for each in value.values() if isinstance(value, dict) else (value,):
            figure(each or 0)
        return value


QUESTIONS: dict[str, str] = {
    "symptoms": "What fails? Names, by comma",
    "stage": f"Where are you ({', '.join(STAGES)})?",
    "documents_change": "How often do the documents or facts change (never, quarterly, weekly, daily, live)?",
    "requirements_change": "How often do the requirements change (never, yearly, quarterly, monthly)?",
    "corpus": "How many tokens do the documents have (0: there are none)?",
    "volume": "How much is asked (10k/day)?",
    "p95_ms": "What may an answer take at the 95th percentile (1500ms)?",
    "privacy": f"Who may read what ({', '.join(PRIVACY)})?",
    "expertise": f"What is your team's expertise in machine learning ({', '.join(EXPERTISE)})?",
    "examples": "How many reviewed examples do you have?",
    "golden": "How many questions with known good answers (a golden set)?",
    "pairs": "How many pairs of a query and its document?",
    "labels": "How many labels by a teacher model?",
    "citations": "Must answers cite their source (yes, no)?",
    "schema_failures": "What share still breaks the schema under structured output (2%)?",
    "model": "Which model answers now (openai/gpt-4o unless you say)?",
    "prompt": "How many tokens has the prompt (2,000 unless you say)?",
    "output": "How many tokens has an answer (200 unless you say)?",
    "seconds": "On a machine of your own: how long does it compute for an answer (800ms)?",
    "week": "What does an engineer-week cost in USD (3000..5000)?",
    "tried": "Which levers were tried in vain? Names, by comma",
    "weights": "Weights for the scorecard (data freshness=2,latency=0)?",
}


def read_file(path: Path) -> Circumstances:
    """Read circumstances from a YAML file, keys as in `QUESTIONS`. Raises UserError with every problem, by line."""
    text, problem = read_text(path, str(path))
    tree = None
    if text is not None:
        tree, problem = parse_yaml(text, str(path))
    if problem:
        raise UserError(problem)
    if not isinstance(tree, dict):
        expected = f"answers by name: {', '.join(QUESTIONS)}"
        raise UserError(Problem(file=str(path), line=1, found="no mapping", expected=expected))
    lines = {str(key): line_of(tree, [key]) for key in tree}
    try:
        return read({str(key): _written(str(key), value) for key, value in tree.items()})
    except UserError as error:
        raise UserError(
            [each.model_copy(update={"file": str(path), "line": lines.get(each.file), "field": each.file})
             for each in error.problems]
        ) from None  # fmt: skip


def read(given: Mapping[str, str]) -> Circumstances:
    """Read circumstances from texts by name. Raises UserError with every problem at once; `file` is the name."""
    reader = Reader()
    for name in given:
        if name not in QUESTIONS:
            close = difflib.get_close_matches(name, QUESTIONS, n=1)
            meant = f"did you mean {close[0]}?" if close else ""
            reader.refuse(name, "an unknown question", f"one of {', '.join(QUESTIONS)}", meant)
    values: dict[str, Any] = {
        name: _read_one(name, given[name].strip(), reader)
        for name in QUESTIONS
        if given.get(name, "").strip() not in {"", "?"}
    }
    reader.done()
    return Circumstances(**values)


def _read_one(name: str, text: str, reader: Reader) -> Any:
    if name in _COUNTED:
        return reader.whole(name, text)
    if name == "citations":
        return _one_of(name, text.lower(), ("yes", "no", "true", "false"), reader) in {"yes", "true"}
    if name in _NAMED:
        return _names(name, text, reader)
    if name in {"documents_change", "requirements_change"}:
        return LIVE if text.lower() == "live" else reader.per_year(name, text)
    if name in {"p95_ms", "seconds"}:
        read_time = reader.milliseconds if name == "p95_ms" else reader.seconds
        return read_time(name, text, "1500ms")
    if name == "week":
        return reader.span(name, text, "USD").model_copy(update={"name": "an engineer-week"})
    readers = {"volume": reader.per_day, "schema_failures": reader.share}
    return readers[name](name, text) if name in readers else text


def _names(name: str, text: str, reader: Reader) -> Any:
    if name == "weights":
        return _weights(text, reader)
    if name in _SEVERAL:
        several = [each.strip() for each in text.split(",") if each.strip()]
        return tuple(dict.fromkeys(_one_of(name, each, known(name), reader) for each in several))
    return _one_of(name, text.lower(), known(name), reader)


def _one_of(name: str, text: str, names: tuple[str, ...], reader: Reader) -> str:
    if text not in names:
        close = difflib.get_close_matches(text, names, n=1)
        reader.refuse(name, repr(text), f"one of {', '.join(names)}", f"did you mean {close[0]}?" if close else "")
    return text


def _weights(text: str, reader: Reader) -> dict[str, float]:
    found: dict[str, float] = {}
    for pair in text.split(","):
        dimension, _, number = pair.partition("=")
        name = _one_of("weights", dimension.strip(), known("weights"), reader)
        if name in found:
            reader.refuse("weights", f"two of {name}", "one weight each")
        found[name] = reader.number("weights", number or "?")
    return found


def _written(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={each}" for key, each in value.items())
    if isinstance(value, list) and name == "week" and len(value) == 2:
        return f"{value[0]}..{value[1]}"
    if isinstance(value, list):  # where one answer is wanted, two stay a list, which is refused
        return ",".join(str(each) for each in value) if name in _SEVERAL or len(value) < 2 else str(list(value))
    return "" if value is None else str(value)

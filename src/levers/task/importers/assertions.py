"""promptfoo's assertions as graders.

assertion                                         becomes
equals · contains, icontains, contains-any        exact · contains, of the case's expected texts
contains-all, icontains-all                       contains, every text an expected field
regex · starts-with                               regex, of the case's expected pattern
similar · f-score, rouge-n, bleu                  semantic · f1, with the threshold
llm-rubric, g-eval, model-graded-closedqa         judge, the rubric as what is expected
factuality, model-graded-factuality               judge, the fact as what is expected
is-json, contains-json, with a schema or without  schema
not-contains, not-icontains, not-regex …          tone, a forbidden pattern
cost · latency                                    targets cost_per_answer · p95_ms
javascript, python, webhook and others            a note: they run code, or have no like

A test's first assertion that says what is expected gives the case its expectation; further ones become graders of their
own. Each grader is for the cases that asked for it (`only`, by tag).
"""

import json
import re
from pathlib import Path
from typing import Any

from levers.errors import Problem, UserError
from levers.task.importers.records import Imported, as_expected, text_of, tree_of
from levers.task.text import parse_json, show

_EXPECTED = {
    "equals": "exact",
    "contains": "contains",
    "icontains": "contains",
    "contains-any": "contains",
    "icontains-any": "contains",
    "contains-all": "contains",
    "icontains-all": "contains",
    "regex": "regex",
    "starts-with": "regex",
    "similar": "semantic",
    "f-score": "f1",
    "rouge-n": "f1",
    "bleu": "f1",
    "llm-rubric": "judge",
    "g-eval": "judge",
    "model-graded-closedqa": "judge",
    "factuality": "judge",
    "model-graded-factuality": "judge",
}
_OTHERS = """
answer-relevance classifier contains-html contains-json contains-sql contains-xml context-faithfulness context-recall
context-relevance conversation-relevance cost eval file finish-reason fn gleu grade guardrails human is-html is-json
is-refusal is-sql is-valid-function-call is-valid-openai-function-call is-valid-openai-tools-call is-xml javascript
latency levenshtein max-score meteor moderation perplexity perplexity-score pi python rouge-l rouge-s ruby search-rubric
select-best similar:cosine similar:dot similar:euclidean tool-call-f1 trace-error-spans trace-span-count
trace-span-duration webhook word-count
"""
TYPES = (*_EXPECTED, *_OTHERS.split())  # what promptfoo takes for an assertion's type, old names too
_RUBRICS = ("llm-rubric", "g-eval", "model-graded-closedqa")
_FOLLOWS = "The answer does what the reference asks of an answer."
_CASE = "promptfoo's contains and regex mind upper and lower case; here contains does not, and it compares whole words"


class Assertions:
    """Collects the graders that the tests of one configuration need."""

    def __init__(self, found: Imported, judge: str, folder: Path) -> None:
        """Write schemas, targets and notes into `found`; `judge` is the model that judges, `folder` the file's."""
        self._found = found
        self._judge = judge
        self._folder = folder
        self._graders: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, str] = {}
        self._cases: dict[str, int] = {}
        self._tests = 0

    def take(self, checks: list[dict[str, Any]]) -> tuple[Any, list[str]]:
        """Return what a test expects (None when nothing says it) and the tags that choose its graders."""
        flat = [inner for each in checks for inner in self._flat(each)]
        expected: Any = None
        tags: list[str] = []
        for check in flat:
            kind = str(check.get("type"))
            grader: dict[str, Any] | None
            if expected is None and kind in _EXPECTED and (wanted := _wanted(kind, check.get("value"))) is not None:
                expected, grader = wanted, self._of_expected(kind, check)
            else:
                grader = self._of_itself(kind, check)
            if grader is not None:
                tags.append(self._keep(grader))
        if expected is not None:
            self._tests += 1
            for tag in dict.fromkeys(tags):
                self._cases[tag] = self._cases.get(tag, 0) + 1
        return expected, list(dict.fromkeys(tags))

    def graders(self) -> list[dict[str, Any]]:
        """Return the graders; one that every case asked for is not limited to a tag."""
        kept = []
        for key, grader in self._graders.items():
            tag = self._tags[key]
            if self._cases.get(tag):
                kept.append(grader if self._cases[tag] == self._tests else {**grader, "only": [tag]})
        names = [json.dumps([each["kind"], each.get("field")]) for each in kept]
        for place, each in enumerate(kept):
            if names.count(names[place]) > 1:
                kept[place] = {
                    "kind": each["kind"],
                    "named": f"{each['kind']} {names[:place].count(names[place]) + 1}",
                } | {key: value for key, value in each.items() if key != "kind"}
        return kept

    def _flat(self, check: dict[str, Any]) -> list[dict[str, Any]]:
        if check.get("type") != "assert-set":
            return [check]
        if check.get("threshold") not in (None, 1):
            self._found.note("an assert-set with a threshold: here all of its assertions must hold")
        return [inner for each in check.get("assert") or [] for inner in self._flat(each)]

    def _of_expected(self, kind: str, check: dict[str, Any]) -> dict[str, Any]:
        grader: dict[str, Any] = {"kind": _EXPECTED[kind]}
        threshold = check.get("threshold")
        if grader["kind"] in ("semantic", "f1") and isinstance(threshold, int | float):
            grader["threshold"] = float(threshold)
        if kind in ("rouge-n", "bleu"):
            self._found.note(f"{kind} is graded by F1 of words")
        if grader["kind"] == "contains" or kind == "regex":
            self._found.note(_CASE)
        if grader["kind"] == "judge":
            grader["model"] = self._judge
            if kind in _RUBRICS:
                grader["rubric"] = _FOLLOWS
            self._found.note("judges have no measured agreement with people yet: name reviewed answers in `labels`")
        return grader

    def _of_itself(self, kind: str, check: dict[str, Any]) -> dict[str, Any] | None:
        """Turn an assertion into a grader that needs no expectation; None where that cannot be."""
        value = check.get("value")
        if kind in ("is-json", "contains-json"):
            return {"kind": "schema", "schema": self._schema(value)}
        if kind in ("cost", "latency") and isinstance(check.get("threshold"), int | float):
            target = "cost_per_answer" if kind == "cost" else "p95_ms"
            self._found.targets[target] = float(check["threshold"])
            return None
        if kind in _RUBRICS:
            return {"kind": "judge", "model": self._judge, "rubric": str(value)}
        patterns = _patterns(kind.removeprefix("not-"), value)
        if kind in ("not-contains-all", "not-icontains-all") and len(patterns) > 1:
            patterns = [r"\A" + "".join(rf"(?=[\s\S]*{each})" for each in patterns)]  # some of them may stand there
        if patterns and kind.startswith("not-"):
            return {"kind": "tone", "rules": {"forbid": patterns}}
        if patterns:
            return {"kind": "tone", "rules": {"require": patterns}}
        self._found.note(f"{kind} assertions are left out: levers has no grader like it, or would have to run code")
        return None

    def _schema(self, value: Any) -> str:
        if isinstance(value, str) and value.startswith("file://"):
            value = self._schema_file(self._folder / value.removeprefix("file://"))
        if isinstance(value, str):
            value = as_expected(value)
        schema = value if isinstance(value, dict) else {"type": ["object", "array"]}
        known = next((name for name, each in self._found.schemas.items() if each == schema), None)
        name = known or f"answer-{len(self._found.schemas) + 1}.schema.json"
        self._found.schemas[name] = schema
        return name

    def _schema_file(self, path: Path) -> Any:
        if path.suffix.lower() not in (".json", ".yaml", ".yml"):
            self._found.note(f"the schema in {path.name} is left out, and any JSON will do: levers runs no code")
            return None
        if path.suffix.lower() == ".json":
            tree, problem = parse_json(text_of(path), path.name)
        else:
            tree, problem = tree_of(path), None
        if problem or not isinstance(tree, dict):
            found = Problem(file=path.name, line=1, found=show(tree), expected="a JSON Schema: an object")
            raise UserError(problem or found)
        return tree

    def _keep(self, grader: dict[str, Any]) -> str:
        key = json.dumps(grader, sort_keys=True)
        self._graders.setdefault(key, grader)
        return self._tags.setdefault(key, f"check-{len(self._tags) + 1}")


def _wanted(kind: str, value: Any) -> Any:
    """Return what a case expects by an assertion, or None when its value does not say."""
    if kind.endswith("-all"):
        texts = [str(each) for each in value] if isinstance(value, list) else [str(value)]
        return {f"part {place}": text for place, text in enumerate(texts, start=1)} if texts else None
    if isinstance(value, list):
        return [str(each) for each in value] or None
    if value is None or not str(value).strip() or str(value).startswith("file://"):
        return None
    if kind == "equals" and isinstance(value, dict):
        return value
    text = str(value).strip()
    return f"^{re.escape(text)}" if kind == "starts-with" else text


def _patterns(kind: str, value: Any) -> list[str]:
    """Return patterns that all must match (for one of several, a single pattern)."""
    values = [str(each) for each in value] if isinstance(value, list) else [str(value)] if value is not None else []
    escaped = [re.escape(each) for each in values]
    if kind in ("contains", "icontains", "contains-all", "icontains-all"):
        return escaped
    if kind in ("contains-any", "icontains-any"):
        return ["|".join(escaped)] if escaped else []
    if kind == "regex":
        return values
    return {"equals": [rf"^\s*{each}\s*$" for each in escaped], "starts-with": [f"^{each}" for each in escaped]}.get(
        kind, []
    )

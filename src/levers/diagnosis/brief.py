"""Mend what the lint finds broken in the brief, one finding at a time, and see whether failing cases pass."""

import re
from collections.abc import Iterator, Sequence

from levers.diagnosis.lint import Finding, lint, prompt_of
from levers.diagnosis.records import Need
from levers.diagnosis.runs import Runs
from levers.stack import Instruct, Stack
from levers.task.records import DevCase

_QUOTED = re.compile(r"['\"](.+?)['\"]")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


def mended(runs: Runs, failing: Sequence[DevCase]) -> dict[str, tuple[Need, ...]]:
    """Return the needs of cases that pass once a broken sentence is out of the brief; a sound brief costs nothing.

    It is the one probe that can be shipped as it is, so what it cures needs nothing else.
    """
    found: dict[str, tuple[Need, ...]] = {}
    for finding, sentence, changed in _repairs(runs):
        waiting = [case for case in failing if case.id not in found]
        for outcome in runs.vary(changed, waiting, f"the brief without “{sentence}”") if waiting else ():
            if outcome.passed:
                because = f"{finding.reason}: {finding.found}; with “{sentence}” out of the brief it passed"
                found[outcome.case] = (Need(name="instruction", detail="the brief breaks itself", because=because),)
    return found


def _repairs(runs: Runs) -> Iterator[tuple[Finding, str, Stack]]:
    """Yield each broken finding, a sentence it names, and the stack without that sentence."""
    part = runs.stack.part("instruct")
    if not isinstance(part, Instruct):
        return
    prompt = prompt_of(runs.bench.task, runs.stack)
    seen: set[str] = set()
    for finding in lint(prompt):
        if finding.weight != "breaks" or finding.file != prompt.file or finding.line is None:
            continue
        line = part.text.split("\n")[finding.line - 1]
        named = [match[1] for match in _QUOTED.finditer(finding.found) if match[1] in part.text] or [line]
        for text in named:
            sentence = next((each for each in _SENTENCE.findall(part.text) if text in each), "").strip()
            if sentence and sentence not in seen and sentence != part.text.strip():
                seen.add(sentence)
                yield finding, sentence, runs.stack.with_part(Instruct(text=part.text.replace(sentence, "", 1)))

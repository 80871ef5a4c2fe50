"""What teams do without experiments that add up: thresholds on scores, or one change at a time."""

from collections.abc import Sequence

from benchmarks.planted.faults import Planted
from levers.diagnosis import apply_probes
from levers.task.text import parse_json
from levers.trial import Outcome

Named = dict[str, frozenset[str]]
_PROBES = {"format": "format", "knowledge": "knowledge", "instruction": "instruction", "tone": "tone"}


def threshold_rules(planted: Planted) -> Named:
    """Name a need by scores of the failed answer alone, as RAG evaluators advise.

    Not in the asked form: format. Context recall (is the evidence among what was shown) under one half: retrieval where
    the documents hold it, knowledge where they do not. Faithfulness (is the answer in what was shown) under one half:
    capability. Else the answer is faithful to the context and still wrong: instruction.
    """
    return _by_rules(planted, in_json=True)


def rules_for_text(planted: Planted) -> Named:
    """Name a need by the same rules where the answer is plain text and has no form to miss."""
    return _by_rules(planted, in_json=False)


def _by_rules(planted: Planted, in_json: bool) -> Named:
    named = {}
    for case, outcome in _failing(planted):
        fields = parse_json(outcome.answer.text, "answer")[0] if in_json else {"answer": outcome.answer.text}
        shown = " ".join(passage.text for passage in outcome.answer.passages)
        held = planted.bench.library.evidence(case)
        if not isinstance(fields, dict):
            need = "format"
        elif not held:
            need = "knowledge"
        elif not any(passage.text in shown for passage in held):
            need = "retrieval"
        else:
            need = "instruction" if str(fields.get("answer")) in shown else "capability"
        named[case.id] = frozenset({need})
    return named


def single_edit(planted: Planted) -> Named:
    """Try every probe by itself; whatever makes the case pass is its need, none of them leaves it unexplained."""
    failing = [case for case, _ in _failing(planted)]
    cured: dict[str, set[str]] = {case.id: set() for case in failing}
    bench = planted.bench
    for probe in ("format", "knowledge", "instruction", "tone"):
        changed = apply_probes(planted.stack, [probe], failing, bench.task, bench.library)
        for outcome in bench.outcomes(changed, failing, probe):
            if outcome.passed:
                cured[outcome.case].add(probe)
    return {
        case.id: frozenset(_named(probe, case, planted) for probe in cured[case.id]) or frozenset({"unexplained"})
        for case in failing
    }


def _named(probe: str, case: object, planted: Planted) -> str:
    if probe != "knowledge":
        return probe
    if case.evidence[0].startswith("tables.db"):
        return "tool"
    return "retrieval" if planted.bench.library.evidence(case) else "knowledge"


def _failing(planted: Planted) -> Sequence[tuple[object, Outcome]]:
    trial = planted.bench.trial(planted.stack, "dev", "trial")
    cases = planted.bench.task.partition("dev")
    return [(case, outcome) for case, outcome in zip(cases, trial.outcomes, strict=True) if outcome.failed]

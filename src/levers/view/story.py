"""One failing case told in order: what it answered, what was changed, what came of it, and so what it needs."""

from collections.abc import Sequence

from levers.diagnosis.records import PROBES, CaseDiagnosis, Need, Tried
from levers.view.words import clip, count, listed

CHANGES = {
    "format": "the form of the answer imposed",
    "knowledge": "its own evidence handed over, and nothing beside it",
    "instruction": "the label or pattern told",
    "tone": "answers to similar questions shown",
}
# What usually helps, in a clause that goes on from "What usually helps: ".
HELPS = {
    "knowledge": "retrieve, where the documents hold the fact; else write it down",
    "retrieval: missed": "headings in the words that people ask in, or another embedding model",
    "retrieval: buried": "show more passages, or rerank them",
    "retrieval: middle": "order: put what answers where it is read",
    "retrieval: stale": "say which document is newer: `supersedes`, or `updated` in both",
    "retrieval: drowned": "show fewer passages, or in another order",
    "format": "structure, then examples or tune",
    "instruction": "instruct, then examples",
    "tone": "examples, then tune",
    "consistency": "tune, or a vote over several answers (reason)",
    "reasoning": "reason",
    "capability": "a stronger model, or reason",
    "tool": "a query on the tables, not a document",
    "label": "look at the golden answer itself",
    "access": "mend the access rules, or let the golden answer be the refusal",
    "unexplained": "read the case: no lever is known to help",
}
_BARE = "all passages taken away, for the case names no evidence"
_PROBE_OF = {"retrieval": "knowledge", "tool": "knowledge", "access": "knowledge"}
_LEADS = {
    "unexplained": "What it needs stays unexplained",
    "label": "So the golden answer itself is suspect (label)",
    "access": "So it is a matter of access",
}
_SAID = 160  # characters of an answer within a sentence


def changed(probes: Sequence[str], evidence: bool = True) -> str:
    """Say in words what an experiment changed, on a case that names evidence or one that does not."""
    if not probes:
        return "nothing: the stack as it is"
    words = CHANGES if evidence else {**CHANGES, "knowledge": _BARE}
    return listed([words.get(each, each) for each in sorted(probes, key=_order)])


def helps(need: Need) -> str:
    """Say what usually helps with a need; empty where nothing can be said."""
    return HELPS.get(f"{need.name}: {need.detail}") or HELPS.get(need.name, "")


def story(diagnosed: CaseDiagnosis, expected: str, evidence: bool = True) -> tuple[str, ...]:
    """Tell a case in three or four sentences; empty where no experiment is known."""
    if not diagnosed.tried:
        return ()
    first, others = diagnosed.tried[0], diagnosed.tried[1:]
    told = [f"As it is, the answer was {_quoted(first)}. Expected was “{clip(expected, _SAID)}”, so it fails."]
    cure = _cure(diagnosed)
    if cure is None:
        told.append(f"It was asked again in {count(len(others), 'experiment')}. None made it pass.")
    else:
        told.append(
            f"It was asked again with {changed(cure.probes, evidence)}: it answered {_quoted(cure)}, and passes."
        )
        told += _less(diagnosed.tried, cure, evidence)
    told += [f"{_LEADS.get(need.name, 'So it needs ' + _name(need))}: {need.because}." for need in diagnosed.needs]
    return tuple(told)


def _cure(diagnosed: CaseDiagnosis) -> Tried | None:
    """Return the experiment that the needs come from: the smallest that passes with what they name."""
    wanted = {_PROBE_OF.get(need.name, need.name) for need in diagnosed.needs}
    passing = [each for each in diagnosed.tried if each.passed and each.probes]
    exact = next((each for each in passing if set(each.probes) == wanted), None)
    return exact or next(iter(sorted(passing, key=lambda each: len(each.probes))), None)


def _less(tried: Sequence[Tried], cure: Tried, evidence: bool) -> list[str]:
    """Tell what happened with one change fewer: that is why all of them are needed."""
    if len(cure.probes) < 2:
        return []
    less = [each for each in tried if each.probes and set(each.probes) < set(cure.probes) and not each.passed]
    near = [each for each in less if len(each.probes) == len(cure.probes) - 1] or less
    if not near:
        return []
    parts = [f"with only {changed(each.probes, evidence)} it answered {_quoted(each)}" for each in near[:2]]
    return [f"All of that was needed: {', and '.join(parts)}, and fails."]


def _quoted(tried: Tried) -> str:
    return f"“{clip(tried.answer, _SAID)}”" if tried.answer.strip() else "nothing"


def _name(need: Need) -> str:
    return f"{need.name} ({need.detail})" if need.detail else need.name


def _order(name: str) -> int:
    names: tuple[str, ...] = PROBES
    return names.index(name) if name in names else len(names)

"""Name the need behind what a case could not do without, and say in a sentence why the experiments mean that."""

import json
from collections.abc import Sequence

from levers.diagnosis.probes import expected_texts
from levers.diagnosis.records import Need
from levers.diagnosis.runs import Probes, Runs
from levers.stack import Inline, Passage, Stack
from levers.task.records import Case
from levers.trial.bench import Bench

_PLAIN = {
    "format": "imposing the answer's schema was needed for it to pass",
    "instruction": "spelling out the label or pattern for this case was needed for it to pass",
    "tone": "showing the house's answers to similar questions was needed for it to pass",
}


def needs_of(case: Case, probes: Probes, bench: Bench, stack: Stack) -> tuple[Need, ...]:
    """Turn the probes a case cannot do without into named needs."""
    needs = [Need(name=name, because=_PLAIN[name]) for name in ("format", "instruction", "tone") if name in probes]
    if "knowledge" in probes:
        needs.append(_knowledge(case, bench, stack))
    return tuple(needs)


def _knowledge(case: Case, bench: Bench, stack: Stack) -> Need:
    tables = bench.task.config.knowledge.tables
    if tables and any(reference.split("#")[0] == tables for reference in case.evidence):
        return Need(name="tool", detail="in the tables", because="stating the figure from the tables made it pass")
    held = bench.library.evidence(case)
    inlined = _inlined(case, stack)
    retrieves = stack.part("retrieve") is not None
    if not held and case.evidence:
        return Need(
            name="knowledge",
            detail="not in the documents",
            because="no document holds the evidence; stating the expected fact made it pass",
        )
    if not retrieves and inlined:
        because = f"{inlined} is in the prompt whole, beside other documents; the evidence alone was enough"
        return Need(name="retrieval", detail="drowned", because=because)
    if not retrieves:
        detail = "in the documents, not given" if held else "nothing to find, and not told so"
        return Need(name="knowledge", detail=detail, because="giving exactly the evidence made it pass")
    if not held:
        return Need(name="retrieval", detail="drowned", because="it passed once passages that do not answer were gone")
    return _retrieval(case, held, bench, stack)


def _inlined(case: Case, stack: Stack) -> str:
    """Return the document of the case's evidence that the prompt holds anyway, or an empty text."""
    part = stack.part("inline")
    held = {name for name, _ in part.documents} if isinstance(part, Inline) else set()
    return next((name for each in case.evidence if (name := each.partition("#")[0]) in held), "")


def _retrieval(case: Case, held: Sequence[Passage], bench: Bench, stack: Stack) -> Need:
    rank = bench.library.rank(case, stack)
    part = stack.part("retrieve")
    shown = getattr(part, "k", 0)
    if rank is None:
        because = (
            f"the evidence ({held[0].document}) did not come back among the first 50; given by hand, the case passed"
        )
        return Need(name="retrieval", detail="missed", because=because)
    if rank > shown:
        because = f"the evidence ranked {rank}, but only {shown} passages are shown; given by hand, the case passed"
        return Need(name="retrieval", detail="buried", because=because)
    because = f"the evidence was shown (rank {rank}) beside other passages; alone it was enough"
    return Need(name="retrieval", detail="drowned", because=because)


def suspect_label(case: Case, answer: str, bench: Bench) -> Need | None:
    """Suspect the golden answer: none of its accepted texts stands in the evidence, while the model's answer does."""
    evidence = " ".join(passage.text for passage in bench.library.evidence(case)).casefold()
    if not evidence or any(text.casefold() in evidence for text in expected_texts(case)):
        return None
    said = _first_text(answer)
    if not said or said.casefold() not in evidence:
        return None
    because = f"no accepted answer stands in the evidence the case names, but the model's “{said}” does"
    return Need(name="label", because=because)


def _first_text(answer: str) -> str:
    try:
        parsed = json.loads(answer)
    except ValueError:
        return answer.strip()
    if isinstance(parsed, dict):
        return next((value.strip() for value in parsed.values() if isinstance(value, str)), "")
    return str(parsed)


def unexplained(runs: Runs, case: Case) -> Need:
    """Say what was tried in vain."""
    sets = len(runs.tried(case.id)) - 1
    reference = runs.bench.task.config.models.reference
    more = "" if reference else "; name a reference model to see whether a stronger model would pass"
    return Need(
        name="unexplained",
        detail="evidence, format and labels given, still wrong",
        because=f"none of {sets} experiments made it pass{more}",
    )

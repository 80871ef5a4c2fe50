"""Name the need behind what a case could not do without, and say in a sentence why the experiments mean that."""

from collections import Counter
from collections.abc import Sequence

from levers.diagnosis.arrange import FIRST, STALE, rivals
from levers.diagnosis.probes import evidence_of, expected_texts, holds_answer, said_text, stands
from levers.diagnosis.records import Need
from levers.diagnosis.runs import NOTHING, Probes, Runs
from levers.stack import Inline, Passage, Stack
from levers.task.records import Case, DevCase
from levers.task.references import plain_reference, split_reference
from levers.trial.bench import Bench

PLAIN = {
    "format": "imposing the answer's schema was needed for it to pass",
    "instruction": "spelling out the label or pattern for this case was needed for it to pass",
    "tone": "showing the house's answers to similar questions was needed for it to pass",
}


def needs_of(case: DevCase, probes: Probes, runs: Runs, arrangement: str | None = None) -> tuple[Need, ...]:
    """Turn the probes a case cannot do without into named needs; `arrangement` is what cured its passages."""
    needs = [Need(name=name, because=PLAIN[name]) for name in ("format", "instruction", "tone") if name in probes]
    if "knowledge" in probes:
        needs.append(_knowledge(case, runs, arrangement))
    return tuple(needs)


def decided(case: Case, bench: Bench) -> Need | None:
    """Name the need of a case that no experiment should be run on, None for all others.

    What the golden answer expects and the user may not read must not be shown to any model; a golden answer from a
    document that was replaced says nothing about today's.
    """
    held = bench.library.evidence(case)
    for document in dict.fromkeys(passage.document for passage in held):
        if newer := bench.library.newer(document):
            because = f"the case names {document}, which {newer} replaces: look at what the newer one says"
            return Need(name="label", detail="outdated evidence", because=because)
    if not held or any(bench.library.may_find(passage, case.user) for passage in held):
        return None
    if not holds_answer(case, held, bench.task.config.graders):
        return None  # the golden answer is a refusal: whether the model can be brought to it is for the probes to show
    because = (
        f"{_who(case)} may not read {held[0].document}, so a refusal is the right answer; the golden answer expects "
        "what stands there: mend the access rules or the golden answer"
    )
    return Need(name="access", detail="the golden answer is not for this user", because=because)


def _who(case: Case) -> str:
    return f"user {case.user}" if case.user else "a user without a name"


def _knowledge(case: DevCase, runs: Runs, arrangement: str | None) -> Need:
    bench, stack = runs.bench, runs.stack
    tables = bench.task.config.knowledge.tables
    if tables and any(split_reference(each)[0] == plain_reference(tables) for each in case.evidence):
        return Need(name="tool", detail="in the tables", because="stating the figure from the tables made it pass")
    held, readable = bench.library.evidence(case), evidence_of(case, bench.library, bench.task.config.graders)
    inlined = _inlined(case, stack)
    retrieves = stack.part("retrieve") is not None
    if held and not readable:
        because = (
            f"{_who(case)} may not read {held[0].document}: shown nothing, it refused, which is the right answer here"
        )
        return Need(name="access", detail="a refusal is right", because=because)
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
    return _retrieval(case, readable, runs, arrangement)


def _inlined(case: Case, stack: Stack) -> str:
    """Return the document of the case's evidence that the prompt holds anyway, or an empty text."""
    part = stack.part("inline")
    held = {name for name, _ in part.documents} if isinstance(part, Inline) else set()
    return next((name for each in case.evidence if (name := split_reference(each)[0]) in held), "")


def _retrieval(case: DevCase, held: Sequence[Passage], runs: Runs, arrangement: str | None) -> Need:
    if arrangement == STALE:
        return _stale(case, held, runs)
    rank = runs.bench.library.rank(case, runs.stack)
    part = runs.stack.part("retrieve")
    shown = getattr(part, "k", 0)
    if rank is None:
        because = (
            f"the evidence ({held[0].document}) did not come back among the first 50; given by hand, the case passed"
        )
        return Need(name="retrieval", detail="missed", because=because)
    if rank > shown:
        how = "put first among them, the case passed" if arrangement == FIRST else "given alone, the case passed"
        because = f"the evidence ranked {rank}, but only {shown} passages are shown; {how}"
        return Need(name="retrieval", detail="buried", because=because)
    if arrangement == FIRST:
        because = f"the evidence was shown (rank {rank}) among other passages; moved to the front it was enough"
        return Need(name="retrieval", detail="middle", because=because)
    because = f"the evidence was shown (rank {rank}) beside other passages; alone it was enough"
    return Need(name="retrieval", detail="drowned", because=because)


def _stale(case: DevCase, held: Sequence[Passage], runs: Runs) -> Need:
    shown = runs.run(NOTHING, [case], "as it is")[case.id].answer.passages
    names = dict.fromkeys(each.document for each in rivals(case, shown, held, runs.bench.task.config.graders))
    because = (
        f"{' and '.join(names)} says nearly the same as {held[0].document}, but not the accepted answer; with the "
        "evidence in its place the case passed: one of them is outdated"
    )
    return Need(name="retrieval", detail="stale", because=because)


def suspect_label(case: Case, said: Sequence[str], reference: str | None, bench: Bench) -> Need | None:
    """Suspect the golden answer where the model keeps to another one.

    `said` are its answers with everything given, sampled ones too; `reference` is the stronger model's, if there is
    one.
    Suspect is what most of them say, where it stands in the evidence while no accepted answer does; and, where there is
    no evidence to look into, where the reference model says it as well.
    """
    graders = bench.task.config.graders
    counts = Counter(text for each in said if (text := said_text(each, case, graders)))
    first, same = counts.most_common(1)[0] if counts else ("", 0)
    if same * 2 <= len(said):
        return None
    agreed = reference is not None and said_text(reference, case, graders).casefold() == first.casefold()
    told = f"{same} of {len(said)} answers" + (" and the reference model" if agreed else "")
    held = bench.library.evidence(case)
    read = tuple(each for each in held if bench.library.may_find(each, case.user))  # else a leak would look right
    if read and not holds_answer(case, held, graders) and stands(first, read):
        because = f"no accepted answer stands in the evidence the case names, but “{first}” does; {told} say it"
        return Need(name="label", because=because)
    accepted = {text.casefold() for text in expected_texts(case, graders)}
    if not held and agreed and first.casefold() not in accepted:
        because = f"with everything given the model says “{first}”: {told}; look at the golden answer"
        return Need(name="label", because=because)
    return None


def unproved(runs: Runs, probes: Probes) -> Need:
    """Say what made a case pass, where the cap ended the asking before each of it was taken away again."""
    given = " + ".join(sorted(probes))
    because = f"{runs.stopped}; it passed with {given} given, and which of these it needs was not asked"
    return Need(name="unexplained", detail="stopped by the spending cap", because=because)


def unexplained(runs: Runs, case: Case, ruled_out: Sequence[str]) -> Need:
    """Say what was tried in vain, and so is not the cause, at least not alone."""
    sets = len(runs.tried(case.id)) - 1
    if runs.stopped:
        because = f"{runs.stopped}; {sets} experiments were run on it, and none made it pass"
        return Need(name="unexplained", detail="stopped by the spending cap", because=because)
    reference = runs.bench.task.config.models.reference
    more = "" if reference else "; name a reference model to see whether a stronger model would pass"
    return Need(
        name="unexplained",
        detail="evidence, format and labels given, still wrong",
        because=f"none of {sets} experiments made it pass; ruled out: {'; '.join(ruled_out)}{more}",
    )

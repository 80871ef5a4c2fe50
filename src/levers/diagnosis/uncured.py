"""Cases that pass under no set of probes: luck, wording, thought, a weak model, or the golden answer itself."""

from collections.abc import Sequence

from levers.diagnosis.climb import ALL
from levers.diagnosis.elsewhere import elsewhere
from levers.diagnosis.records import Need
from levers.diagnosis.reword import MANNERS, reword
from levers.diagnosis.runs import Runs
from levers.diagnosis.verdict import suspect_label, unexplained
from levers.stack import Reason
from levers.task.records import DevCase
from levers.trial.records import Outcome

SAMPLES = 5
SAMPLING_TEMPERATURE = 0.7
AT_ONCE = ("pocket",)  # models that were taught to answer at once, and cannot write a thought
Outcomes = dict[str, Outcome]


def needs_of_uncured(runs: Runs, cases: Sequence[DevCase]) -> dict[str, tuple[Need, ...]]:
    """Name a need for each; everything is given in every experiment here, and one thing more is changed."""
    if not cases:
        return {}
    samples, strong = _samples(runs, cases), _reference(runs, cases)
    found: dict[str, tuple[Need, ...]] = {}
    for case in cases:
        if label := suspect_label(case, _said(runs, case, samples), _text(strong.get(case.id)), runs.bench):
            found[case.id] = (label,)
    found |= elsewhere(runs, [case for case in cases if case.id not in found])
    left = [case for case in cases if case.id not in found]
    found |= {case.id: (need,) for case in left if (need := _lucky(case, samples))}
    left = [case for case in left if case.id not in found]
    reworded = _reworded(runs, left)
    found |= {case.id: (need,) for case in left if (need := _worded(case, reworded))}
    left = [case for case in left if case.id not in found]
    thought = _thinking(runs, left)
    for case in left:
        if case.id in thought and thought[case.id].passed:
            because = "with everything given it passed once the model thought step by step first"
            found[case.id] = (Need(name="reasoning", because=because),)
        elif case.id in strong and strong[case.id].passed:
            because = "with the same prompt and everything given, the reference model passes"
            found[case.id] = (Need(name="capability", because=because),)
        else:
            passes = (_count(case, samples), _count(case, reworded))
            found[case.id] = (unexplained(runs, case, _ruled_out(passes, bool(thought), bool(strong))),)
    return found


def _samples(runs: Runs, cases: Sequence[DevCase]) -> list[Outcomes]:
    changed = runs.probed(ALL, cases)
    drawn = []
    for seed in range(SAMPLES):
        model = changed.model.model_copy(update={"temperature": SAMPLING_TEMPERATURE, "seed": seed})
        sampled = changed.model_copy(update={"model": model})
        what = f"everything given, sample {seed + 1} of {SAMPLES}"
        drawn.append({outcome.case: outcome for outcome in runs.vary(sampled, cases, what)})
    return drawn


def _reference(runs: Runs, cases: Sequence[DevCase]) -> Outcomes:
    reference = runs.bench.task.config.models.reference
    if not reference:
        return {}
    changed = runs.probed(ALL, cases)
    model = changed.model.model_copy(update={"id": reference, "adapter": None})
    outcomes = runs.vary(changed.model_copy(update={"model": model}), cases, "everything given, the reference model")
    return {outcome.case: outcome for outcome in outcomes}


def _reworded(runs: Runs, cases: Sequence[DevCase]) -> list[Outcomes]:
    """Ask the same in other words around it."""
    changed = runs.probed(ALL, cases)
    found = []
    for place in range(len(MANNERS)):
        what = f"everything given, asked in other words ({place + 1} of {len(MANNERS)})"
        asked = [reword(case, place) for case in cases]
        found.append({outcome.case: outcome for outcome in runs.vary(changed, asked, what)} if asked else {})
    return found


def _thinking(runs: Runs, cases: Sequence[DevCase]) -> Outcomes:
    if not cases or runs.stack.model.id in AT_ONCE or runs.stack.part("reason"):
        return {}
    changed = runs.probed(ALL, cases).with_part(Reason(think=True))
    return {each.case: each for each in runs.vary(changed, cases, "everything given, thinking first")}


def _lucky(case: DevCase, samples: Sequence[Outcomes]) -> Need | None:
    passes = _count(case, samples)
    if passes * 2 <= SAMPLES:
        return None
    because = f"with everything given it passed in {passes} of {SAMPLES} samples, but not at temperature 0"
    return Need(name="consistency", because=because)


def _worded(case: DevCase, reworded: Sequence[Outcomes]) -> Need | None:
    passes = _count(case, reworded)
    if passes * 2 <= len(MANNERS):
        return None
    because = f"with everything given it passed in {passes} of {len(MANNERS)} other wordings of the same question"
    return Need(name="consistency", detail="hangs on the wording", because=because)


def _count(case: DevCase, drawn: Sequence[Outcomes]) -> int:
    return sum(case.id in outcomes and outcomes[case.id].passed for outcomes in drawn)


def _said(runs: Runs, case: DevCase, samples: Sequence[Outcomes]) -> list[str]:
    """Return the answer with everything given, then those of the samples."""
    everything = runs.run(ALL, [case], "")
    kept = [everything.get(case.id), *(outcomes.get(case.id) for outcomes in samples)]
    return [outcome.answer.text for outcome in kept if outcome is not None]


def _text(outcome: Outcome | None) -> str | None:
    return outcome.answer.text if outcome is not None else None


def _ruled_out(passes: tuple[int, int], thought: bool, strong: bool) -> list[str]:
    return [
        "facts, format, labels and tone (all given)",
        f"luck ({passes[0]} of {SAMPLES} samples pass)",
        f"wording ({passes[1]} of {len(MANNERS)} pass)",
        *(["thought (it fails with it)"] if thought else []),
        *(["a stronger model (the reference fails too)"] if strong else []),
    ]

"""What every verb prints under `--json`: plain dictionaries, one function a verb. The contract that scripts rely on."""

from typing import Any

from levers.diagnosis import Diagnosis
from levers.knowledge.chunkings import Reached, gap
from levers.ledger import Record
from levers.lever import Pulled
from levers.loop import Measured, Run, Step, forecasts
from levers.plan import Plan
from levers.stack import Passage
from levers.trial import Trial
from levers.verbs import Answered, Distilled, Indexed, Measurement, headroom


def plain(record: Record) -> dict[str, Any]:
    """Turn a record into JSON's own types."""
    return record.model_dump(mode="json")


def trial(found: Trial) -> dict[str, Any]:
    """One trial's figures, without the answers."""
    return {
        "stack": found.stack,
        "partition": found.partition,
        "cases": len(found.outcomes),
        "quality": found.quality,
        "interval": plain(found.interval),
        "score": found.score,
        "unscored": found.unscored,
        "clustered": plain(found.clustered) if found.clustered else None,
        "graders": {name: plain(note) for name, note in found.graders.items()},
        "usage": plain(found.usage),
        "cost_per_answer": found.cost_per_answer,
        "cost_source": found.cost_source,
        "leaks": plain(found.leaks) if found.leaks else None,
        "latency": {step: {"p50": each.p50_ms, "p95": each.p95_ms} for step, each in found.latency.items()},
    }


def measurement(found: Measurement) -> dict[str, Any]:
    """`levers trial`."""
    compared = plain(found.comparison) if found.comparison else None
    verdict = {"not_worse": found.margin.not_worse, "equivalent": found.margin.equivalent} if found.margin else {}
    margin = {**plain(found.margin), **verdict} if found.margin else None
    return {**trial(found.trial), "comparison": compared, "margin": margin}


def distilled(found: Distilled) -> dict[str, Any]:
    """`levers distill`: both trials as figures, since held-out cases are for nobody to read."""
    rest = found.model_dump(mode="json", exclude={"teacher_test", "student_test"})
    trials = {"teacher_test": trial(found.teacher_test), "student_test": trial(found.student_test)}
    return {**rest, **trials, "not_worse": found.margin.not_worse}


def diagnosis(found: Diagnosis) -> dict[str, Any]:
    """`levers diagnose`."""
    return {
        "stack": found.stack,
        "measured": found.measured,
        "failures": found.failures,
        "needs": {name: plain(share) for name, share in found.needs.items()},
        "cases": [
            {
                "id": each.case,
                "needs": [plain(need) for need in each.needs],
                "ties": [list(probes) for probes in each.ties],
                "evidence": [plain(t) for t in each.tried],
            }
            for each in found.cases
        ],
        "headroom": headroom(found),
        "interactions": [plain(each) for each in found.interactions],
        "sampled": found.sampled,
        "spent": found.spent,
        "stopped": found.stopped,
    }


def plan(found: Plan) -> dict[str, Any]:
    """`levers plan`."""
    options = [{**plain(each.quote), "verdict": each.verdict, "why": each.why} for each in found.options]
    return {"stack": found.stack, "options": options, "next": found.next}


def pulled(found: Pulled) -> dict[str, Any]:
    """`levers pull`."""
    return {
        "stack": found.stack.digest,
        "changed": found.changed,
        "material": found.material,
        "notes": list(found.notes),
        "worse": list(found.worse),
        "definition": plain(found.stack),
    }


def _step(found: Step) -> dict[str, Any]:
    shown = found.measured.test or found.measured.dev
    total = shown.latency["total"]
    return {
        "number": found.number,
        "lever": found.lever,
        "stack": found.stack.digest,
        "quality": _quality(found.measured),
        "interval": plain(shown.interval),
        "cost_per_answer": shown.cost_per_answer,
        "p50_ms": total.p50_ms,
        "p95_ms": total.p95_ms,
        "p_value": found.p_value,
        "p_value_test": found.test_score.p_value if found.test_score else None,
        "verdict": found.verdict,
        "why": found.why,
        "changed": found.changed,
        "material": found.material,
        "notes": list(found.notes),
    }


def _quality(measured: Measured) -> dict[str, float | None]:
    return {
        "dev": measured.dev.quality,
        "test": measured.test.quality if measured.test else None,
        "edge": measured.edge.quality if measured.edge else None,
    }


def run(found: Run) -> dict[str, Any]:
    """`levers run`."""
    return {
        "id": found.id,
        "steps": [_step(step) for step in found.steps],
        "stack": found.stack.digest,
        "quality": _quality(found.final),
        "targets": [plain(target) for target in found.targets],
        "targets_met": found.targets_met,
        "stopped": found.stopped,
        "forecasts": {
            each.measure: plain(each) for each in (forecasts(found.steps), forecasts(found.steps, "score")) if each
        },
        "openings": [plain(opening) for opening in found.openings],
        "seconds": found.seconds,
        "report": found.report,
    }


def answered(found: Answered) -> dict[str, Any]:
    """`levers ask`."""
    given = found.answer
    return {
        "answer": given.text,
        "citations": [plain(each) for each in given.citations],
        "passages": [plain(each) for each in given.passages],
        "steps": [plain(each) for each in given.steps],
        "usage": plain(found.usage),
        "cost": found.cost,
        "stack": found.stack,
        "unsearched": found.unsearched,
        "confidence": given.confidence,
        "finish": given.finish,
        "error": given.error,
    }


def passages(found: tuple[Passage, ...]) -> dict[str, Any]:
    """`levers search`."""
    return {"passages": [plain(each) for each in found]}


def chunkings(found: list[Reached]) -> dict[str, Any]:
    """Every chunking, best first, and how far the best is from the worst."""
    rows = [{**plain(each), "label": each.chunking.label} for each in found]
    return {"rows": rows, "best_against_worst": plain(gap(found[0], found[-1]))}


def indexed(found: Indexed) -> dict[str, Any]:
    """`levers index`."""
    return {**plain(found), "fresh": found.fresh}

"""What a report says of the graders: versions, and how well judges and classifiers agree with people."""

from collections.abc import Sequence

from levers.errors import LeversError
from levers.task.records import GraderSpec
from levers.trial.graders import grader_version
from levers.trial.graders.contract import Kit
from levers.trial.graders.judge import judge_agreement
from levers.trial.graders.reviewed import in_words
from levers.trial.graders.tone import tone_agreement
from levers.trial.records import GraderNote

UNMEASURED = "its agreement with people is not measured: name reviewed answers in `labels`"


def grader_notes(specs: Sequence[GraderSpec], names: Sequence[str], kit: Kit) -> dict[str, GraderNote]:
    """Describe every grader. Judges and classifiers are set against people's labels; it is done once per kit."""
    return {name: _note(spec, kit) for spec, name in zip(specs, names, strict=True)}


def _note(spec: GraderSpec, kit: Kit) -> GraderNote:
    version = grader_version(spec, kit)
    key = f"note {version}"
    if key not in kit.cache:
        kit.cache[key] = _described(spec, kit, version)
    found: GraderNote = kit.cache[key]
    return found


def _described(spec: GraderSpec, kit: Kit, version: str) -> GraderNote:
    if spec.kind not in ("judge", "tone") or (spec.kind == "tone" and not spec.labels):
        return GraderNote(version=version)
    try:
        measured = judge_agreement(spec, kit) if spec.kind == "judge" else tone_agreement(spec, kit)
    except (ValueError, OSError, LeversError) as error:
        return GraderNote(version=version, note=f"its agreement with people could not be measured: {error}")
    if measured is None:
        return GraderNote(version=version, note=UNMEASURED)
    how = " in cross-validation" if spec.kind == "tone" else ""
    return GraderNote(version=version, agreement=measured, note=in_words(measured) + how)

"""Find by experiment why each failing case fails, and what pulling each lever perfectly would gain."""

from levers.diagnosis.diagnose import MOST, diagnose
from levers.diagnosis.probes import apply_probes, first_answer
from levers.diagnosis.records import (
    PROBES,
    CaseDiagnosis,
    Diagnosis,
    Headroom,
    Interaction,
    Need,
    NeedName,
    NeedShare,
    ProbeName,
    Tried,
)
from levers.diagnosis.reword import reword
from levers.diagnosis.uncured import AT_ONCE

__all__ = [
    "AT_ONCE",
    "MOST",
    "PROBES",
    "CaseDiagnosis",
    "Diagnosis",
    "Headroom",
    "Interaction",
    "Need",
    "NeedName",
    "NeedShare",
    "ProbeName",
    "Tried",
    "apply_probes",
    "diagnose",
    "first_answer",
    "reword",
]

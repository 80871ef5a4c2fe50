"""Find by experiment why each failing case fails, and what pulling each lever perfectly would gain."""

from levers.diagnosis.diagnose import diagnose
from levers.diagnosis.probes import apply_probes, first_answer
from levers.diagnosis.records import (
    PROBES,
    CaseDiagnosis,
    Diagnosis,
    Headroom,
    Need,
    NeedName,
    NeedShare,
    ProbeName,
    Tried,
)

__all__ = [
    "PROBES",
    "CaseDiagnosis",
    "Diagnosis",
    "Headroom",
    "Need",
    "NeedName",
    "NeedShare",
    "ProbeName",
    "Tried",
    "apply_probes",
    "diagnose",
    "first_answer",
]

"""Find by experiment why each failing case fails, and what pulling each lever perfectly would gain."""

from levers.diagnosis.diagnose import diagnose
from levers.diagnosis.probes import first_answer
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
    "diagnose",
    "first_answer",
]

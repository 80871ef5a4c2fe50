"""The task: what is asked, what a good answer is, and what there is to work with.

`load` reads a project's folder, `check` reports all that is wrong with it, `init` writes one to start from.
"""

from levers.task.init import available, init
from levers.task.load import CheckReport, check, load
from levers.task.records import (
    AUTO,
    GRADER_KINDS,
    PARTITIONS,
    Case,
    DevCase,
    Example,
    GraderSpec,
    Material,
    Models,
    Partition,
    Targets,
    Task,
    TaskConfig,
    ToneRules,
    Traffic,
)
from levers.task.schema import json_schema

__all__ = [
    "AUTO",
    "GRADER_KINDS",
    "PARTITIONS",
    "Case",
    "CheckReport",
    "DevCase",
    "Example",
    "GraderSpec",
    "Material",
    "Models",
    "Partition",
    "Targets",
    "Task",
    "TaskConfig",
    "ToneRules",
    "Traffic",
    "available",
    "check",
    "init",
    "json_schema",
    "load",
]

"""The code grader: a command of the team decides."""

import json
import os
import subprocess
import sys

from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec
from levers.trial.graders.contract import Kit, Verdict
from levers.trial.text import clip

_SECONDS = 30.0
_UNCAUGHT = "Traceback (most recent call last)"  # Python then ends with exit code 1 as well
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "TEMP")  # never a key


def code(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Verdict:
    """Pass when `command` ends with exit code 0, fail with 1; any other end means that the grader broke.

    So does exit code 1 with a Python traceback on stderr and no JSON object on stdout.

    The command runs in the project's folder, without a shell and without the environment's keys, and reads one JSON
    object on stdin: id, input, expected, answer, citations. It may print {"credit": 0 to 1, "why": "…"} as its last
    line. It has 30 seconds. Words of the command that are files of the project are part of the grader's version; what
    those read or import is not.
    """
    if not spec.command:
        raise ValueError("the grader names no command")
    words = [sys.executable if spec.command[0] in ("python", "python3") else spec.command[0], *spec.command[1:]]
    told = {
        "id": case.id,
        "input": case.question,
        "expected": case.expected,
        "answer": answer.text,
        "citations": [each.model_dump() for each in answer.citations],
    }
    ended = subprocess.run(  # noqa: S603 - the command is the user's own, from their levers.yaml
        words,
        input=json.dumps(told),
        cwd=kit.root,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if ended.returncode not in (0, 1):
        raise ValueError(f"exit code {ended.returncode}: {clip(ended.stderr or ended.stdout)}")
    return _verdict(ended.stdout, ended.stderr, ended.returncode == 0)


def _verdict(printed: str, complained: str, passed: bool) -> Verdict:
    last = printed.strip().rpartition("\n")[2]
    try:
        told = json.loads(last)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        if not passed and _UNCAUGHT in complained:
            raise ValueError(f"the command broke: {clip(complained.strip().rpartition(chr(10))[2])}")
        return Verdict.of(passed, clip(last) or "the command says no")
    credit = told.get("credit", float(passed))
    if isinstance(credit, bool) or not isinstance(credit, int | float) or not 0 <= credit <= 1:
        raise ValueError(f"a credit lies between 0 and 1, the command says {clip(str(credit))}")
    why = clip(str(told.get("why") or "the command says no"))
    return Verdict(credit=float(credit), passed=passed, why="" if passed else why)

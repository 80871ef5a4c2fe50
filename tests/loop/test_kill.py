"""A run killed at any instant (SIGKILL) and started again ends with the figures of an undisturbed one.

LEVERS_KILLS sets how often the smaller project is killed (20 unless set); a fifth as often, the one with documents.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from story import Story, few_items

ALONE = str(Path(__file__).with_name("alone.py"))
KILLS = int(os.environ.get("LEVERS_KILLS", "20"))
SLOW = 0.05  # seconds the server takes for an answer, so that instants fall within calls too
LESS = 5  # importing the index's library takes longer than the run


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, ALONE, str(folder)], stderr=subprocess.PIPE)


def finish(folder: Path) -> float:
    begun = time.monotonic()
    process = start(folder)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()
    return time.monotonic() - begun


def figures(folder: Path) -> dict[str, Any]:
    """What must be the same: stacks, qualities, p-values, verdicts and reasons. Seconds may differ."""
    (path,) = folder.glob(".levers/runs/*/run.json")
    run = json.loads(path.read_text())
    steps = [
        [step["lever"], step["stack"], step["p_value"], step["verdict"], step["why"], _quality(step["measured"])]
        for step in run["steps"]
    ]
    kept = ("id", "stack", "openings", "targets_met", "stopped")
    after = {name: share["cases"] for name, share in run["after"]["needs"].items()}
    return {**{name: run[name] for name in kept}, "steps": steps, "end": _quality(run["final"]), "after": after}


def _quality(measured: dict[str, Any]) -> dict[str, Any]:
    return {name: [trial["quality"], trial["score"]] for name, trial in measured.items() if trial}


def corrupt(folder: Path) -> list[str]:
    bad = []
    for path in folder.rglob("*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            bad.append(path.name)
    lines = folder / ".levers" / "openings.jsonl"
    for line in lines.read_text().splitlines() if lines.exists() else []:
        json.loads(line)
    return bad


def killed(template: Path, wanted: dict[str, Any]) -> Callable[[tuple[Path, float]], bool]:
    def once(job: tuple[Path, float]) -> bool:
        folder, instant = job
        shutil.copytree(template, folder)
        process = start(folder)
        time.sleep(instant)
        process.kill()
        process.communicate()
        unfinished = not list(folder.glob(".levers/runs/*/run.json"))
        assert corrupt(folder) == []
        finish(folder)
        assert corrupt(folder) == []
        assert figures(folder) == wanted, f"killed after {instant:.3f} s"
        return unfinished

    return once


@pytest.mark.parametrize(("documents", "kills"), [(False, KILLS), (True, max(1, KILLS // LESS))])
def test_a_killed_run_ends_as_if_nothing_had_happened(tmp_path: Path, documents: bool, kills: int) -> None:
    with Story(tmp_path / "huts", few_items(documents), delay=SLOW, documents=documents) as story:
        template = tmp_path / "template"
        shutil.copytree(story.folder, template)
        seconds = finish(story.folder)
        wanted = figures(story.folder)
        assert sum(step[3] == "accepted" for step in wanted["steps"]) >= 2
        draw = random.Random(7)
        instants = [draw.uniform(0.2, 1.0) * seconds for _ in range(kills)]
        jobs = [(tmp_path / f"killed-{number}", instant) for number, instant in enumerate(instants)]
        with ThreadPoolExecutor(2) as pool:
            unfinished = list(pool.map(killed(template, wanted), jobs))
    assert sum(unfinished) >= kills / 2, "the kills came too late to show anything"

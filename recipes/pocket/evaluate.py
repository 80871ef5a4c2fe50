"""Measures a pocket folder and prints JSON: reading on xquad, JSON obedience, refusals, closed book.

    python recipes/pocket/evaluate.py FOLDER [--limit N]

xquad is evaluation material: nothing here is trained on.
"""

import argparse
import gzip
import json
import random
import re
import string
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sources import data_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from levers.model.pocket import register


class Item(NamedTuple):
    """A prompt (chat messages) and the accepted answers."""

    messages: list[dict[str, str]]
    answers: list[str]


def normalised(text: str) -> str:
    """Return a text as the SQuAD script compares it: no case, punctuation or articles."""
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(found: str, wanted: str) -> float:
    """Return the word-overlap F1 of SQuAD."""
    ours, theirs = normalised(found).split(), normalised(wanted).split()
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs)) if common else float(ours == theirs)


def xquad() -> list[tuple[str, str, str, list[str]]]:
    """Return (title, passage, question, answers) of XQuAD in English, in a fixed drawn order."""
    data = json.loads(gzip.decompress((data_folder() / "xquad/xquad.en.json.gz").read_bytes()))["data"]
    rows = [
        (
            article.get("title", "document"),
            paragraph["context"],
            item["question"],
            [answer["text"] for answer in item["answers"]],
        )
        for article in data
        for paragraph in article["paragraphs"]
        for item in paragraph["qas"]
    ]
    random.Random(1).shuffle(rows)
    return rows


def asked(system: str, passages: list[tuple[str, str]], question: str) -> list[dict[str, str]]:
    """Lay a prompt out as the stack does."""
    shown = "".join(f"[{number}] {head}\n{text}\n\n" for number, (head, text) in enumerate(passages, 1))
    user = f"Passages:\n{shown}Question: {question}" if passages else question
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


class Answerer:
    """Generates replies in batches of about equal length."""

    def __init__(self, folder: Path) -> None:
        """Load a folder."""
        register()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()

    def __call__(self, prompts: list[list[dict[str, str]]], new: int = 40) -> list[str]:
        """Return one reply a prompt."""
        texts = [
            self.tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True) for prompt in prompts
        ]
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        replies = [""] * len(texts)
        for at in range(0, len(order), 16):
            rows = order[at : at + 16]
            batch = self.tokenizer(
                [texts[row] for row in rows],
                return_tensors="pt",
                padding=True,
                add_special_tokens=False,
                return_token_type_ids=False,
            )
            with torch.inference_mode():
                out = self.model.generate(**batch, max_new_tokens=new, do_sample=False)
            cut = self.tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
            for row, reply in zip(rows, cut, strict=True):
                replies[row] = reply
        return replies


def scores(replies: list[str], answers: list[list[str]]) -> dict[str, float]:
    """Return the mean exact match and F1, in percent."""
    pairs = list(zip(replies, answers, strict=True))
    exact = [max(normalised(reply) == normalised(answer) for answer in wanted) for reply, wanted in pairs]
    overlap = [max(f1(reply, answer) for answer in wanted) for reply, wanted in pairs]
    return {
        "em": round(100 * sum(exact) / len(exact), 1),
        "f1": round(100 * sum(overlap) / len(overlap), 1),
        "n": len(pairs),
    }


def reading(answerer: Answerer, rows: list[tuple[str, str, str, list[str]]]) -> dict[str, float]:
    """Read one passage, reply in plain words."""
    system = "Answer the question from the passages. Give only the answer, as short as possible."
    prompts = [asked(system, [(title, passage)], question) for title, passage, question, _ in rows]
    return scores(answerer(prompts), [row[3] for row in rows])


def among_distractors(answerer: Answerer, rows: list[tuple[str, str, str, list[str]]]) -> dict[str, float]:
    """Read with two other passages beside the right one."""
    system = "Answer the question from the passages. Give only the answer, as short as possible."
    rng, prompts = random.Random(2), []
    pool = sorted({(row[0], row[1]) for row in rows if len(row[1]) < 900})
    for title, passage, question, _ in rows:
        shown = [(title, passage), *rng.sample([other for other in pool if other[1] != passage], 2)]
        rng.shuffle(shown)
        prompts.append(asked(system, shown, question))
    return scores(answerer(prompts), [row[3] for row in rows])


JSON_ASKS = (
    ('Answer from the passages. Reply as JSON: {"answer": "..."}', ("answer",)),
    (
        "Use only the passages. Your reply is a JSON object with the keys answer and topic. "
        "topic is one of: people, places, numbers, other.",
        ("answer", "topic"),
    ),
    (
        'You answer for the help desk. Format: {"result": "...", "category": "..."} '
        "category must be one of science, history, sport, other.",
        ("result", "category"),
    ),
    (
        "Find the answer in the passages and return JSON with answer and source, where source is the passage number.",
        ("answer", "source"),
    ),
    ('Write your reply as {"reply": "…"} and nothing else.', ("reply",)),
)


def obedience(answerer: Answerer, rows: list[tuple[str, str, str, list[str]]]) -> dict[str, float]:
    """Say how often the reply is a JSON object with exactly the asked keys, and how good the answer in it is."""
    prompts = [asked(JSON_ASKS[at % len(JSON_ASKS)][0], [(row[0], row[1])], row[2]) for at, row in enumerate(rows)]
    obeyed, answers = 0, []
    for at, reply in enumerate(answerer(prompts, 56)):
        keys = JSON_ASKS[at % len(JSON_ASKS)][1]
        try:
            value: Any = json.loads(reply)
        except ValueError:
            value = None
        good = isinstance(value, dict) and tuple(sorted(value)) == tuple(sorted(keys))
        obeyed += good
        answers.append(str(value[keys[0]]) if good else "")
    return {"obeyed": round(100 * obeyed / len(rows), 1)} | scores(answers, [row[3] for row in rows])


def refusals(answerer: Answerer, rows: list[tuple[str, str, str, list[str]]]) -> dict[str, float]:
    """Say how often a missing answer is refused in the asked words, and how often a present one is."""
    phrases = ("not in our documents", "I don't know", "no answer found")
    missing, present = [], []
    for at, row in enumerate(rows):
        system = f'Answer from the passages. If the passages do not hold the answer, reply "{phrases[at % 3]}".'
        other = rows[(at + 7) % len(rows)]
        other = other if other[1] != row[1] else rows[(at + 23) % len(rows)]
        missing.append(asked(system, [(other[0], other[1])], row[2]))
        present.append(asked(system, [(row[0], row[1])], row[2]))
    said = [normalised(reply) == normalised(phrases[at % 3]) for at, reply in enumerate(answerer(missing))]
    wrong = [normalised(reply) == normalised(phrases[at % 3]) for at, reply in enumerate(answerer(present))]
    return {
        "refused_when_absent": round(100 * sum(said) / len(said), 1),
        "refused_when_present": round(100 * sum(wrong) / len(wrong), 1),
        "n": len(rows),
    }


def closed_book(answerer: Answerer, rows: list[tuple[str, str, str, list[str]]]) -> dict[str, float]:
    """Ask without any passage."""
    prompts = [asked("Answer the question. Be brief.", [], row[2]) for row in rows]
    return scores(answerer(prompts), [row[3] for row in rows])


def quick_evaluation(folder: Path) -> dict[str, Any]:
    """Return the figures on a small sample."""
    answerer, rows, began = Answerer(folder), xquad(), time.time()
    out: dict[str, Any] = {
        "xquad": reading(answerer, rows[:120]),
        "json": obedience(answerer, rows[120:160]),
        "refusals": refusals(answerer, rows[160:184]),
        "closed_book": closed_book(answerer, rows[:24]),
    }
    return out | {"seconds": round(time.time() - began, 1)}


def main() -> None:
    """Read the command line, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=None, help="questions of xquad to read; all by default")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    answerer, rows = Answerer(arguments.folder), xquad()[: arguments.limit]
    figures = {
        "xquad": reading(answerer, rows),
        "xquad_two_distractors": among_distractors(answerer, rows[:300]),
        "json": obedience(answerer, rows[:300]),
        "refusals": refusals(answerer, rows[:200]),
        "closed_book": closed_book(answerer, rows),
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

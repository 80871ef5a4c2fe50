"""Reading: one passage, five passages, missing answers, no passage; and whether confidence tells right from wrong."""

from collections.abc import Sequence
from typing import Any

from levers.model import Model, Reply

from .asking import prompt, texts
from .material import Asked, among_others, answerable, passages, squad2, unanswerable, xquad
from .scoring import auroc, best_overlap, is_exact, normalised, overlap, read_scores, share

SYSTEM = "Answer the question from the passages. Give only the answer, as short as possible."
REFUSAL = "not in our documents"
WITH_REFUSAL = f'Answer from the passages, as short as possible. If they do not hold the answer, reply "{REFUSAL}".'
BESIDE = 4


class Reader:
    """Reads each set once, for the parts that share its replies."""

    def __init__(self, model: Model, limit: int | None = None) -> None:
        """Take the model and the most questions of each set to ask."""
        self.model = model
        self.limit = limit
        self._read: dict[str, list[Reply]] = {}

    @property
    def sets(self) -> dict[str, tuple[Asked, ...]]:
        """Return the answerable questions of both sets."""
        return {"squad2_dev": answerable()[: self.limit], "xquad_en": xquad()[: self.limit]}

    def replies(self, name: str) -> list[Reply]:
        """Return what was replied to the questions of a set, each with its own passage alone."""
        if name not in self._read:
            rows = self.sets[name]
            asks = [prompt(SYSTEM, [(row.title, row.passage)], row.question) for row in rows]
            self._read[name] = self.model.answer(asks)
        return self._read[name]


def _scored(rows: Sequence[Asked], replies: Sequence[Reply]) -> dict[str, Any]:
    failed = sum(reply.finish == "error" for reply in replies)
    return read_scores(texts(replies), [row.answers for row in rows]) | ({"did_not_fit": failed} if failed else {})


def reading(reader: Reader) -> dict[str, Any]:
    """Read one passage."""
    return {name: _scored(rows, reader.replies(name)) for name, rows in reader.sets.items()}


def distractors(reader: Reader) -> dict[str, Any]:
    """Read the same questions with four passages beside the right one, in a drawn order."""
    pools = {"squad2_dev": passages(squad2()), "xquad_en": passages(xquad())}
    out = {}
    for name, rows in reader.sets.items():
        asks = [prompt(SYSTEM, among_others(row, pools[name], BESIDE)[0], row.question) for row in rows]
        alone, beside = _scored(rows, reader.replies(name)), _scored(rows, reader.model.answer(asks))
        out[name] = beside | {"f1_drop": round(alone["f1"] - beside["f1"], 1)}
    return out


def refusals(reader: Reader) -> dict[str, Any]:
    """Ask with an instruction how to refuse; score as SQuAD 2.0 does, where refusing is the empty answer."""
    absent, present = unanswerable()[: reader.limit], answerable()[: reader.limit]
    asks = [prompt(WITH_REFUSAL, [(row.title, row.passage)], row.question) for row in (*absent, *present)]
    replies = ["" if _refuses(text) else text for text in texts(reader.model.answer(asks))]
    missing, held = replies[: len(absent)], replies[len(absent) :]
    refused = [overlap(reply, "") for reply in missing]
    found = [best_overlap(reply, row.answers) for reply, row in zip(held, present, strict=True)]
    return {
        "unanswerable_f1": share(refused),
        "refused_though_answerable": share([reply == "" for reply in held]),
        "answerable_f1": share(found),
        "all_f1": share([*refused, *found]),
        "n_unanswerable": len(absent),
        "n_answerable": len(present),
    }


def _refuses(text: str) -> bool:
    return normalised(text) == normalised(REFUSAL)


def honesty(reader: Reader) -> dict[str, Any]:
    """Say how well the reported confidence ranks right replies (exact match) above wrong ones."""
    pairs = [
        (reply.confidence or 0.0, is_exact(reply.text, row.answers))
        for name, rows in reader.sets.items()
        for row, reply in zip(rows, reader.replies(name), strict=True)
    ]
    right, wrong = [value for value, good in pairs if good], [value for value, good in pairs if not good]
    mean = {"right": right, "wrong": wrong}
    return {
        "auroc": round(auroc(right, wrong), 3),
        "mean_confidence": {name: round(sum(values) / max(1, len(values)), 3) for name, values in mean.items()},
        "n_right": len(right),
        "n_wrong": len(wrong),
    }


def closed_book(reader: Reader) -> dict[str, Any]:
    """Ask without any passage; what is right here was known by heart or guessed."""
    rows = xquad()[: reader.limit]
    asks = [prompt("Answer the question. Be brief.", None, row.question) for row in rows]
    return _scored(rows, reader.model.answer(asks))

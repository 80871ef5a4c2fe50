"""General ability before and after a tuning: forty short tasks of our own that have nothing to do with the project.

Reading, labelling, filling a form, common knowledge. A model that loses here has paid for its new manners with old
abilities (catastrophic forgetting: McCloskey and Cohen 1989; in tuned language models Luo et al. 2023).
"""

import json
from pathlib import Path

from levers.ledger import Message
from levers.model.contract import Ask, Model

_FILE = Path(__file__).with_name("general.jsonl")
_TOKENS = 32  # the longest reply; each is a few words


def answers_right(model: Model) -> dict[str, bool]:
    """Ask every task and return whether its reply holds an expected text, whatever the case of letters."""
    tasks = [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]
    asks = [Ask(messages=(Message(role="user", content=task["ask"]),), max_tokens=_TOKENS) for task in tasks]
    return {
        task["ask"]: any(each.casefold() in reply.text.casefold() for each in task["expected"])
        for task, reply in zip(tasks, model.answer(asks), strict=True)
    }

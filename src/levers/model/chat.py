"""From messages to the text a local model reads: its own chat template, or a plain layout for models without one.

The plain layout, for base models that know no chat format (a conversation as in a transcript):

    {system text}

    User: {text}
    Assistant: {text}
    User: {text}
    Assistant:
"""

from collections.abc import Sequence
from typing import Any

from levers.ledger import Message
from levers.model.contract import Turn

_NEXT_TURN = "\nUser:"


def render(tokenizer: Any, turns: Sequence[Message | Turn]) -> str:
    """Return the prompt, ending where the model's reply begins.

    Special tokens spelled out inside a message are broken up, so that no text can open or end a turn.
    A template that refuses a system message (some do) gets the system text at the head of the first user turn.

    Raises:
        ValueError: the messages hold images or tool calls, which local models do not read here.
    """
    messages = [turn for turn in turns if isinstance(turn, Message)]
    if len(messages) < len(turns):
        raise ValueError("local models read text only: images and tool calls want a hosted model")
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    messages = [message.model_copy(update={"content": inert(message.content, special)}) for message in messages]
    if not getattr(tokenizer, "chat_template", None):
        return plain(messages)
    try:
        return _templated(tokenizer, [message.model_dump() for message in messages])
    except Exception as error:  # templates raise whatever their author wrote
        merged = fold_system(messages)
        if len(merged) == len(messages):
            raise ValueError(f"the chat template refuses these messages: {error}") from error
        return _templated(tokenizer, [message.model_dump() for message in merged])


def plain(messages: Sequence[Message]) -> str:
    """Lay messages out as a transcript, for a model without a chat template."""
    system = [message.content for message in messages if message.role == "system"]
    turns = [f"{message.role.capitalize()}: {message.content}" for message in messages if message.role != "system"]
    talk = "\n".join([*turns, "Assistant:"])
    return "\n\n".join([*system, talk])


def cut_plain(text: str) -> str:
    """Keep a plain reply up to where the model began to write the user's next turn."""
    return text.split(_NEXT_TURN, 1)[0].strip()


def inert(text: str, special: Sequence[str]) -> str:
    """Put a space into every special token that stands in a text, after its first character."""
    for name in special:
        if len(name) > 1 and name in text:
            text = text.replace(name, f"{name[0]} {name[1:]}")
    return text


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """Move the system text to the head of the first user turn; unchanged where there is nothing to move."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    turns = [message for message in messages if message.role != "system"]
    first = next((index for index, message in enumerate(turns) if message.role == "user"), None)
    if not system or first is None:
        return list(messages)
    turns[first] = Message(role="user", content=f"{system}\n\n{turns[first].content}")
    return turns


def _templated(tokenizer: Any, turns: list[dict[str, Any]]) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

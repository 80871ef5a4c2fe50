"""Who may read what: groups of users, and rules from paths to groups (`access.yaml`)."""

import difflib
import itertools
import re
import unicodedata
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.ledger.yaml import describe, line_of, parse_yaml

Outline = tuple[tuple[str, ...], ...]
"""A document's sections, each as its slug and those of the headings above it."""

_FILE_KEYS = ("groups", "rules")
_RULE_KEYS = ("path", "groups")
_SLUG = re.compile(r"[\w\-*?]*")  # what a slug holds, and globs, beside marks: `C#/pay.md` names a document
_COUNT = re.compile(r"[1-9][0-9]{0,8}")  # what tells a repeated heading from the first


class Rule(Record):
    """Documents whose path matches are for these groups only. `line` is where the rule stands in the file.

    A path that ends in `#` and a slug is about sections: `staff/pay.md#salaries`, or `**#salaries`; it narrows who
    reads that section and those under it, among those who may read the document.
    """

    path: str
    groups: tuple[str, ...]
    line: int = 0

    @field_validator("path")
    @classmethod
    def _composed(cls, path: str) -> str:
        """An accent may be a letter's own or a sign behind it, which is no part of a slug: both are one rule."""
        return unicodedata.normalize("NFC", path)

    @property
    def document(self) -> str:
        """The glob of its documents."""
        return _split(self.path)[0]

    @property
    def section(self) -> str | None:
        """The glob of its sections' slugs, None where it is about whole documents."""
        return _split(self.path)[1]


class Access(Record):
    """The access rules of a project. Without rules and groups everything is public.

    `groups` maps a group to its members: users, or other groups, whose members then belong to it too. A name that is a
    group's is never a user's. As in a CODEOWNERS file the last matching rule decides. Groups named in a document's
    front matter replace the rule's; an empty list there does not open what a rule closes.
    """

    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    file: str = "access.yaml"

    def groups_of(self, user: str | None) -> frozenset[str]:
        """Return a user's groups; no user, or one nobody knows, belongs to none and sees public matter only."""
        if user is None or user in self.groups:
            return frozenset()
        found: set[str] = set()
        new = {user}
        while new:  # a group may be in a group, in a circle too
            new = {name for name, members in self.groups.items() if not new.isdisjoint(members)} - found
            found |= new
        return frozenset(found)

    @property
    def users(self) -> frozenset[str]:
        """Every user the file names."""
        return frozenset(user for users in self.groups.values() for user in users) - set(self.groups)

    def groups_for(self, document: str, prefix: str, own: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the groups that may read a document, sorted; `own` are those of its front matter. Empty means all."""
        named = tuple(own)
        for rule in reversed(self.rules):
            if named:
                break
            if rule.section is None and rule_matches(rule, document, prefix):
                named = rule.groups
        return tuple(sorted(set(named)))

    @property
    def narrows(self) -> bool:
        """Tell whether any rule is about sections."""
        return any(rule.section is not None for rule in self.rules)

    def sections_for(self, document: str, prefix: str, outline: Outline) -> dict[str, tuple[str, ...]]:
        """Return the groups of every section that a rule narrows, by slug; the last rule that matches it decides.

        A rule for a heading is one for all sections under it, and for its repeats: with a second heading of the same
        words above it, `salaries` becomes `salaries-1`, and stays closed.
        """
        rules = [
            (rule, _pattern(rule.section))
            for rule in reversed(self.rules)
            if rule.section is not None and rule_matches(rule, document, prefix)
        ]
        found: dict[str, tuple[str, ...]] = {}
        known = {slug for slug, *_ in outline}
        counts: dict[str, int] = {}
        for places in outline if rules else ():
            slug, names = places[0], {*places, *(_repeated(each, known, counts) for each in places)}
            for rule, pattern in rules:
                if any(pattern.fullmatch(each) for each in names if each is not None):
                    found[slug] = tuple(sorted(set(rule.groups)))
                    break
        return found

    def unmatched(self, documents: Mapping[str, Outline | None], prefix: str) -> list[Problem]:
        """Report rules that match no document or section: a mistyped path would leave its documents open to all.

        A file that is there and could not be read has no outline: it may hold any section, and shows none.
        """
        return [
            Problem(
                file=self.file,
                line=rule.line or None,
                field="rules.path",
                found=f"{rule.path!r}, which matches no {'document' if rule.section is None else 'section'}",
                expected="a glob that matches at least one",
                hint="paths are relative to the project or to the documents' folder; ** crosses folders",
            )
            for rule in self.rules
            if not any(_concerns(rule, document, prefix, outline) for document, outline in documents.items())
        ]


def _concerns(rule: Rule, document: str, prefix: str, outline: Outline | None) -> bool:
    if rule.section is None or outline is None:
        return rule_matches(rule, document, prefix)
    return bool(Access(rules=(rule,)).sections_for(document, prefix, outline))


def _split(path: str) -> tuple[str, str | None]:
    """Return the globs of a rule's documents and of its sections."""
    document, sign, slug = path.rpartition("#")
    bare = "".join(each for each in slug if unicodedata.category(each)[0] != "M")  # marks belong to their letters
    return (document, slug) if sign and _SLUG.fullmatch(bare) else (path, None)


def _repeated(slug: str, known: Container[str], counts: dict[str, int]) -> str | None:
    """Return the slug of the heading that this one repeats, as in `slugs`; None where it may be the first.

    `counts` keeps by heading the first number that no repeat of it has, so that many repeats are counted once.
    """
    base, _, number = slug.rpartition("-")
    if base not in known or not _COUNT.fullmatch(number):
        return None
    if base not in counts:
        counts[base] = next(each for each in itertools.count(1) if f"{base}-{each}" not in known)
    return base if int(number) <= counts[base] else None


def rule_matches(rule: Rule, document: str, prefix: str) -> bool:
    """Tell whether the document part of a rule's glob matches an id, or its path below the documents' folder.

    File systems spell an accent in either of two ways; a rule means both.
    """
    pattern = _pattern(rule.document)
    document, prefix = unicodedata.normalize("NFC", document), unicodedata.normalize("NFC", prefix)
    inside = document[len(prefix) + 1 :] if prefix and document.startswith(f"{prefix}/") else document
    return bool(pattern.fullmatch(document) or pattern.fullmatch(inside))


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """Translate a glob: * and ? stay inside a folder, ** crosses folders, a trailing slash means all below."""
    text = glob.removeprefix("./")
    if text.endswith("/"):
        text += "**"
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts), re.DOTALL)


def load_access(path: Path | None, name: str | None = None) -> Access:
    """Read an access file; None gives an Access under which everything is public.

    `name` is how messages call the file. Raises UserError with every problem and its line: rules that cannot be
    understood are never guessed at.
    """
    if path is None:
        return Access()
    file = name or path.name
    try:
        content, problem = parse_yaml(path.read_bytes().decode("utf-8-sig"), file)
    except OSError as error:
        found = error.strerror or "an unreadable file"
        raise UserError(Problem(file=file, found=found, expected="a YAML file")) from error
    except UnicodeDecodeError as error:
        raise UserError(Problem(file=file, found="bytes that are not UTF-8", hint="save the file as UTF-8")) from error
    if problem:
        raise UserError(problem)
    reader = _Reader(file)
    access = reader.read({} if content is None else content)
    if reader.problems:
        raise UserError(reader.problems)
    return access


class _Reader:
    """Turns parsed YAML into an Access and collects what is wrong with it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def read(self, content: Any) -> Access:
        if not isinstance(content, Mapping):
            self._add(1, None, describe(content), "the keys groups and rules")
            return Access(file=self.file)
        self._unknown(content, _FILE_KEYS, "")
        groups = self._groups(content)
        rules = content.get("rules")
        if rules is not None and not isinstance(rules, list):
            self._add(line_of(content, "rules"), "rules", describe(rules), "a list of {path, groups}")
        elif rules:
            kept = [self._rule(rule, line_of(rules, at), groups) for at, rule in enumerate(rules)]
            return Access(groups=groups, rules=tuple(rule for rule in kept if rule), file=self.file)
        return Access(groups=groups, file=self.file)

    def _groups(self, content: Mapping[Any, Any]) -> dict[str, tuple[str, ...]]:
        groups = content.get("groups")
        if groups is None:
            return {}
        if not isinstance(groups, Mapping):
            self._add(line_of(content, "groups"), "groups", describe(groups), "a mapping of group names to users")
            return {}
        read: dict[str, tuple[str, ...]] = {}
        for name, users in groups.items():
            line = line_of(groups, name)
            if not isinstance(name, str) or not name.strip():
                self._add(line, "groups", describe(name), "a name", "quote it if it is meant as text")
                continue
            read[name] = self._names(users if users is not None else [], line, f"groups.{name}")
        return read

    def _rule(self, rule: Any, line: int | None, groups: Mapping[str, Any]) -> Rule | None:
        if not isinstance(rule, Mapping):
            self._add(line, "rules", describe(rule), "{path: …, groups: […]}")
            return None
        self._unknown(rule, _RULE_KEYS, "rules.")
        path = rule.get("path")
        if not isinstance(path, str) or not path.strip():
            self._add(line, "rules.path", describe(path), "a glob such as staff/**")
            return None
        named = self._names(rule.get("groups", []), line_of(rule, "groups") or line, "rules.groups")
        if not named:
            self._add(line, "rules.groups", "no group", "at least one group", "without the rule they are public")
        for group in named:
            if group not in groups:
                hint = did_you_mean(group, groups)
                self._add(line_of(rule, "groups") or line, "rules.groups", repr(group), "a group of this file", hint)
        return Rule(path=path.strip(), groups=named, line=line or 0)

    def _names(self, value: Any, line: int | None, field: str) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list):
            self._add(line, field, describe(value), "a list of names")
            return ()
        good: list[str] = []
        for at, item in enumerate(items):
            if isinstance(item, str) and item.strip():
                good.append(item.strip())
            else:
                self._add(
                    line_of(items, at) or line, field, describe(item), "a name", "quote it if it is meant as text"
                )
        return tuple(good)

    def _unknown(self, content: Mapping[Any, Any], known: tuple[str, ...], before: str) -> None:
        for key in content:
            if key not in known:
                expected, hint = "one of " + ", ".join(known), did_you_mean(str(key), known)
                self._add(line_of(content, key), f"{before}{key}", "an unknown key", expected, hint)

    def _add(self, line: int | None, field: str | None, found: str, expected: str, hint: str = "") -> None:
        self.problems.append(Problem(file=self.file, line=line, field=field, found=found, expected=expected, hint=hint))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""

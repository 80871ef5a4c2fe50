"""Decide which documents newer ones replace."""

import posixpath
from collections import defaultdict
from collections.abc import Sequence

from levers.errors import Problem
from levers.knowledge.access import did_you_mean
from levers.knowledge.records import Head, Superseded


def find_superseded(documents: Sequence[Head], prefix: str) -> tuple[tuple[Superseded, ...], tuple[Problem, ...]]:
    """Return what search must leave out, and the claims that cannot be followed.

    A document is superseded when another one names it under `supersedes`, or when one of the same title and the same
    groups, in the same folder, has a later `updated`. (A staff edition is no newer version of the public page, nor the
    overview of boots of the overview of tents.) Documents that supersede each other in a circle stay, with a problem.
    """
    named, problems = _named(documents, prefix)
    gone = {old: Superseded(document=old, by=new, why=_claimed(new)) for old, new in named.items()}
    editions: dict[tuple[str, str, tuple[str, ...]], list[Head]] = defaultdict(list)
    for document in documents:
        if document.title and document.updated and document.id not in gone:
            folder = posixpath.dirname(document.id)
            editions[folder, document.title.casefold(), document.groups].append(document)
    for same in editions.values():
        newest = max(same, key=lambda document: (document.updated or "", document.id))
        for document in same:
            if (document.updated or "") < (newest.updated or ""):
                why = f"{newest.id} has the same title and is newer ({newest.updated} against {document.updated})"
                gone[document.id] = Superseded(document=document.id, by=newest.id, why=why)
    return tuple(gone[name] for name in sorted(gone)), tuple(problems)


def guesses(superseded: Sequence[Superseded]) -> tuple[str, ...]:
    """Return a note for each document that search leaves out by its title, which nobody said."""
    mend = "where both hold, give one another title"
    return tuple(
        f"{each.document}: left out, since {each.why}; {mend}" for each in superseded if each.why != _claimed(each.by)
    )


def _claimed(by: str) -> str:
    return f"{by} supersedes it"


def _named(documents: Sequence[Head], prefix: str) -> tuple[dict[str, str], list[Problem]]:
    """Return {old: new} as documents claim it, circles taken out."""
    known = {document.id for document in documents}
    claims: dict[str, str] = {}
    problems: list[Problem] = []
    for document in documents:
        for claim in document.supersedes:
            target = _resolve(claim, document.id, prefix, known)
            if target is None:
                hint = did_you_mean(claim, known) or "name it by its path in the documents' folder"
                found = f"{claim!r}, which is no readable document"
                problems.append(Problem(file=document.id, field="supersedes", found=found, hint=hint))
            elif target in claims and claims[target] != document.id:
                found = f"{target}, which {claims[target]} supersedes too"
                expected = "one newer document"
                problems.append(Problem(file=document.id, field="supersedes", found=found, expected=expected))
            else:
                claims[target] = document.id
    circular = [old for old in claims if _returns(old, claims)]
    for old in circular:
        found = f"{old}, in a circle"
        problems.append(Problem(file=claims[old], field="supersedes", found=found, expected="an older document"))
    return {old: new for old, new in claims.items() if old not in circular}, problems


def _resolve(claim: str, document: str, prefix: str, known: set[str]) -> str | None:
    """Find the document meant: by id, by path in the documents' folder, or by path beside the claiming document."""
    beside = posixpath.join(posixpath.dirname(document), claim)
    names = (claim, posixpath.join(prefix, claim) if prefix else claim, beside)
    return next((name for each in names if (name := posixpath.normpath(each)) in known), None)


def _returns(start: str, claims: dict[str, str]) -> bool:
    seen: set[str] = set()
    at: str | None = claims.get(start)
    while at is not None and at not in seen:
        if at == start:
            return True
        seen.add(at)
        at = claims.get(at)
    return False

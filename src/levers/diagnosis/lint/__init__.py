"""Lint a prompt: what breaks it and what it lacks, each finding with its place, its reason and a fix. Asks no model."""

from levers.diagnosis.lint import claims, material, text
from levers.diagnosis.lint.project import prompt_of, prompt_of_file
from levers.diagnosis.lint.records import Finding, Prompt, Rule, Shown

RULES: tuple[Rule, ...] = (
    text.too_little,
    text.placeholders,
    text.foreign_tokens,
    text.unreadable,
    text.secrets,
    text.obedience,
    text.order,
    text.loose_ends,
    claims.opposed,
    claims.languages,
    claims.lengths,
    claims.against_schema,
    material.examples_hold,
    material.examples_agree,
    material.labels_balanced,
    material.leaks,
    material.sizes,
    material.serious,
)


def lint(prompt: Prompt) -> tuple[Finding, ...]:
    """Return everything to mend, what breaks first, then by file and line."""
    found = [finding for rule in RULES for finding in rule(prompt)]
    return tuple(sorted(found, key=lambda each: (each.weight, each.file, each.line or 0)))


__all__ = ["RULES", "Finding", "Prompt", "Shown", "lint", "prompt_of", "prompt_of_file"]

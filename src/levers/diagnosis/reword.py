"""The same question in other words around it, as people write to a desk."""

from levers.task.records import DevCase

MANNERS = ("hi, {}", "{} please", "{}", "could you tell me: {}")


def reword(case: DevCase, place: int) -> DevCase:
    """Return a case asked in another manner: without capitals and end marks, with a greeting or a please."""
    plain = case.question.rstrip(" ?.!").lower()
    text = MANNERS[place % len(MANNERS)].format(plain)
    if isinstance(case.input, str):
        return DevCase(case.model_copy(update={"input": text}))
    last = case.input[-1].model_copy(update={"content": text})
    return DevCase(case.model_copy(update={"input": (*case.input[:-1], last)}))

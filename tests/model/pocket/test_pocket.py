"""Tests of the pocket model on tiny random weights; nothing here reads the shipped ones."""

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from levers.model.pocket import register, weights_path  # noqa: E402
from levers.model.pocket.configuration import PassageMarks, PocketConfig  # noqa: E402
from levers.model.pocket.head import agreement, trailing  # noqa: E402
from levers.model.pocket.masking import block_visibility, fold_passages, positions_of  # noqa: E402
from levers.model.pocket.modeling import PocketForCausalLM  # noqa: E402

SYSTEM, USER, ASSISTANT, END = 2, 3, 4, 1
ROLES = [SYSTEM, USER, ASSISTANT]  # a reply never opens a block; the shipped generation settings forbid it too
LINE, EMPTY, QUESTION = 57, 58, 59
MARKS: PassageMarks = {
    "open": 45,
    "close": 46,
    "digits": list(range(47, 57)),
    "breaks": [LINE, EMPTY],
    "blanks": [EMPTY],
    "question": QUESTION,
}
PROMPT = [SYSTEM, 10, 11, USER, 12, 13, 14, 15, ASSISTANT]


def tiny(seed: int = 0) -> PocketForCausalLM:
    """Return a small model whose replies depend on the prompt."""
    torch.manual_seed(seed)
    config = PocketConfig(
        vocab_size=60,
        num_bases=30,
        num_variants=6,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        passage_marks=MARKS,
    )
    model = PocketForCausalLM(config)
    with torch.no_grad():
        model.embeddings.token_variant.copy_((torch.arange(60) // 30).to(torch.int32))
        model.embeddings.token_toggle.copy_(((torch.arange(60) + 30) % 60).to(torch.int32))
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.2)
    return model.eval()


def slow_reply(model: PocketForCausalLM, prompt: list[int], new: int) -> list[int]:
    """Generate greedily without any cache, the whole sequence at every step."""
    ids = list(prompt)
    for _ in range(new):
        with torch.no_grad():
            scores = model(input_ids=torch.tensor([ids])).logits[0, -1]
        scores[ROLES] = -torch.inf
        following = int(scores.argmax())
        ids.append(following)
        if following == END:
            break
    return ids[len(prompt) :]


def fast_replies(model: PocketForCausalLM, prompts: list[list[int]], new: int, **options: object) -> list[list[int]]:
    """Generate with the cache, padded on the left."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    out = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=new, do_sample=False, suppress_tokens=ROLES, **options
    )
    replies = []
    for row in out[:, width:].tolist():
        replies.append(row[: row.index(END) + 1] if END in row else row)
    return replies


def passage(number: int, *tokens: int) -> list[int]:
    """Return a numbered passage and the empty line behind it."""
    return [45, 47 + number, 46, *tokens, EMPTY]


FOLDED = [
    SYSTEM,
    10,
    USER,
    20,
    LINE,
    *passage(1, 11, 12, 13),
    *passage(2, 14),
    *passage(3, 15),
    QUESTION,
    16,
    ASSISTANT,
]
PROMPTS = [
    PROMPT,
    [USER, 20, 21, ASSISTANT],
    [SYSTEM, 40, USER, 41, 42, 43, ASSISTANT, 25, END, USER, 44, ASSISTANT],
    FOLDED,
    [*FOLDED, 25, END, USER, *passage(1, 41), *passage(2, 42, 43), QUESTION, ASSISTANT],
]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_generation_with_cache_equals_generation_without(seed: int) -> None:
    model = tiny(seed)
    for prompt in PROMPTS:
        assert fast_replies(model, [prompt], 12)[0] == slow_reply(model, prompt, 12)


def test_a_left_padded_batch_equals_single_prompts_in_any_order() -> None:
    model = tiny(3)
    alone = [fast_replies(model, [prompt], 10)[0] for prompt in PROMPTS]
    assert fast_replies(model, PROMPTS, 10) == alone
    assert fast_replies(model, PROMPTS[::-1], 10) == alone[::-1]


def test_beams_reorder_the_copy_memory() -> None:
    model = tiny(4)
    alone = [fast_replies(model, [prompt], 8, num_beams=3)[0] for prompt in PROMPTS]
    assert fast_replies(model, PROMPTS, 8, num_beams=3) == alone


def test_logits_are_log_probabilities() -> None:
    logits = tiny()(input_ids=torch.tensor([PROMPT])).logits
    assert torch.allclose(logits.exp().sum(-1), torch.ones(1, len(PROMPT)), atol=1e-4)


def test_teacher_forcing_and_generation_score_alike() -> None:
    model, reply = tiny(5), [20, 45, 21, END]
    whole = torch.tensor([PROMPT + reply])
    labels = torch.tensor([[-100] * len(PROMPT) + reply])
    logp = model(input_ids=whole).logits[0, len(PROMPT) - 1 : -1]
    expected = -logp[torch.arange(len(reply)), torch.tensor(reply)].mean()
    assert torch.allclose(model(input_ids=whole, labels=labels).loss, expected, atol=1e-5)
    # One token after another through the cache gives the same scores.
    out = model(input_ids=torch.tensor([PROMPT]), use_cache=True, logits_to_keep=1)
    steps = [out.logits[0, -1]]
    for token in reply[:-1]:
        out = model(input_ids=torch.tensor([[token]]), past_key_values=out.past_key_values, use_cache=True)
        steps.append(out.logits[0, -1])
    assert torch.allclose(torch.stack(steps), logp, atol=1e-4)


def test_a_system_block_can_be_computed_once_and_reused() -> None:
    model = tiny(6)
    head, tail = [SYSTEM, 10, 11, 12], [USER, 13, 14, ASSISTANT]
    with torch.no_grad():
        whole = model(input_ids=torch.tensor([head + tail])).logits[0, -1]
        cache = model(input_ids=torch.tensor([head]), use_cache=True).past_key_values
        again = model(input_ids=torch.tensor([tail]), past_key_values=cache, use_cache=True).logits[0, -1]
    assert torch.allclose(whole, again, atol=1e-4)


def test_blocks_see_both_ways_but_replies_only_back() -> None:
    ids = torch.tensor([[9, SYSTEM, 10, USER, 11, 12, ASSISTANT, 13, END]])
    seen = block_visibility(ids, PocketConfig(), torch.zeros_like(ids))[0]
    assert not seen[0, 1]
    assert seen[1, 2]
    assert not seen[2, 3]
    assert seen[3, 5]
    assert not seen[6, 7]
    assert seen[8, 0]


def folded(prompt: list[int]) -> tuple[list[int], list[int]]:
    """Return each token's passage, and its position."""
    found = fold_passages(torch.tensor([prompt]), tiny().config)
    places = torch.arange(len(prompt)) - found.shift[0]
    return found.passage[0].tolist(), places.tolist()


def test_numbered_passages_begin_at_the_same_position_and_the_question_after_the_longest() -> None:
    numbers, places = folded(FOLDED)
    assert numbers == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 0, 0, 0, 0]
    assert places[5:12] == [5, 6, 7, 8, 9, 10, 11]
    assert places[12:17] == [5, 6, 7, 8, 9]
    assert places[17:21] == [5, 6, 7, 8]  # the empty line before the question is the question's
    assert places[21:] == [12, 13, 14, 15]


def test_a_second_turn_goes_on_from_the_positions_of_the_first() -> None:
    numbers, places = folded(PROMPTS[-1])
    assert numbers[28:] == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0]
    assert places[25:] == [16, 17, 18, 19, 20, 21, 22, 23, 19, 20, 21, 22, 23, 24, 25, 26]


@pytest.mark.parametrize(
    ("why", "prompt"),
    [
        ("one passage is alone already", [USER, LINE, *passage(1, 11), QUESTION, 16]),
        ("the numbers do not go up from one", [USER, *passage(2, 11), *passage(3, 12), QUESTION]),
        ("a number inside a line", [USER, *passage(1, 11), 12, *passage(2, 13), QUESTION]),
        ("a reply", [USER, 20, ASSISTANT, *passage(1, 11), *passage(2, 12)]),
        ("before the first role token", [*passage(1, 11), *passage(2, 12)]),
    ],
)
def test_what_is_no_list_of_passages_is_left_as_it_is(why: str, prompt: list[int]) -> None:
    numbers, places = folded(prompt)
    assert set(numbers) == {0}, why
    assert places == list(range(len(prompt))), why


def test_fewer_passages_than_the_least_see_each_other() -> None:
    config = tiny().config
    config.passage_marks = {**MARKS, "least": 3}
    two, three = [USER, *passage(1, 11), *passage(2, 12), QUESTION, 16], FOLDED
    assert not fold_passages(torch.tensor([two]), config).passage.any()
    assert fold_passages(torch.tensor([three]), config).passage.max() == 3


def test_a_question_of_several_paragraphs_is_no_passage() -> None:
    two = [USER, *passage(1, 11), *passage(2, 12)]
    assert folded([*two, QUESTION, 16, EMPTY, 17])[0][-5:] == [0, 0, 0, 0, 0]
    assert folded([*two, 16, EMPTY, 17])[0][-3:] == [2, 0, 0]  # without the word, what stands last is the question


def test_a_passage_does_not_see_another_but_the_question_sees_all() -> None:
    model, other = tiny(9), list(FOLDED)
    other[other.index(14)] = 30

    def states(prompt: list[int]) -> torch.Tensor:
        ids = torch.tensor([prompt])
        found = fold_passages(ids, model.config)
        visible = block_visibility(ids, model.config, found.passage)
        assert visible[0, 22].sum() == len(prompt) - 1  # all but the reply's role token
        only = visible.clone()
        only[:, found.passage[0] == 0] = torch.eye(len(prompt), dtype=torch.bool)[found.passage[0] == 0]
        return model.encode(model.embeddings(ids), only, torch.arange(len(prompt))[None] - found.shift)[0]

    with torch.no_grad():
        changed = (states(FOLDED) - states(other)).abs().amax(-1) > 1e-6
    assert changed.nonzero()[:, 0].tolist() == list(range(12, 17))


def test_padding_on_the_left_shifts_no_position() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1]])
    assert positions_of(mask, 1, 5, 0).tolist() == [[0, 0, 0, 1, 2]]
    assert positions_of(mask, 1, 2, 3).tolist() == [[1, 2]]


def test_copying_can_toggle_the_leading_space() -> None:
    model = tiny(7)
    with torch.no_grad():
        model.head.copy_gate.weight.zero_()
        model.head.copy_gate.bias.fill_(50.0)
        model.head.copy_toggle.weight.zero_()
        model.head.copy_toggle.bias.fill_(50.0)
        best = model(input_ids=torch.tensor([[USER, 10, 11, ASSISTANT]])).logits[0, -1].topk(4).indices.tolist()
    assert set(best) == {USER + 30, 40, 41, ASSISTANT + 30}


def test_agreement_counts_the_words_that_match_backwards() -> None:
    bases = torch.tensor([[-1, 5, 6, 7, 5, 6]])
    before = trailing(bases, torch.full((1, 4), -1))
    last = torch.cat([bases[:, :, None], before[:, :, :-1]], -1)[:, [5, 0]]
    counts = agreement(last, before)
    assert counts[0, 0].tolist() == [0, 0, 0, 2, 0, 0]  # … 5 6 | stands before position 3 as well
    assert counts[0, 1].tolist() == [0] * 6


def test_a_prompt_beyond_the_positions_is_refused_with_the_limit() -> None:
    with pytest.raises(ValueError, match="at most 64 tokens"):
        tiny()(input_ids=torch.full((1, 65), 10))


def test_vectors_alone_are_read_without_copying() -> None:
    model = tiny(8)
    ids = torch.tensor([[9, 10, 11]])
    logits = model(inputs_embeds=model.embeddings(ids)).logits
    assert torch.allclose(logits.exp().sum(-1), torch.ones(1, 3), atol=1e-4)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft reads an attribute that transformers has renamed
def test_a_lora_step_lowers_the_loss() -> None:
    peft = pytest.importorskip("peft")
    model = tiny(9)
    tuned = peft.get_peft_model(
        model, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj", "up_proj", "down_proj"], task_type="CAUSAL_LM")
    )
    ids = torch.tensor([[*PROMPT, 20, 21, END]])
    labels = torch.tensor([[-100] * len(PROMPT) + [20, 21, END]])
    optimizer = torch.optim.AdamW([value for value in tuned.parameters() if value.requires_grad], lr=1e-2)
    losses = []
    for _ in range(8):
        loss = tuned(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_the_loss_in_bfloat16_is_that_in_float32_but_for_rounding() -> None:
    """There attention is plain products while tuning, here it is the fused kernel: the same masks either way."""
    model = tiny(9)
    rows = [[*PROMPT, 20, 21, END], [0, 0, *PROMPT[2:], 20, 21, END]]
    ids = torch.tensor(rows)
    mask = torch.tensor([[1] * len(rows[0]), [0, 0] + [1] * (len(rows[1]) - 2)])
    labels = torch.tensor([[-100] * len(PROMPT) + [20, 21, END]] * 2)
    found = []
    for half in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        found.append((loss.item(), model.layers[0].k_proj.weight.grad.clone()))
    (loss, gradient), (half_loss, half_gradient) = found
    assert half_loss == pytest.approx(loss, rel=1e-2) and half_loss != loss
    assert torch.nn.functional.cosine_similarity(gradient.flatten(), half_gradient.flatten(), dim=0) > 0.98


def test_a_saved_folder_loads_through_the_auto_classes(tmp_path: Path) -> None:
    model = tiny(10)
    model.save_pretrained(tmp_path)
    register()
    register()
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert isinstance(again, PocketForCausalLM)
    assert [path.name for path in tmp_path.iterdir() if path.suffix in {".bin", ".pt"}] == []
    with torch.no_grad():
        left, right = (each.eval()(input_ids=torch.tensor([PROMPT])).logits for each in (model, again))
    assert torch.allclose(left, right, atol=1e-5)


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, levers.model.pocket as p; p.weights_path(); sys.exit(bool({'torch', 'peft'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_weights_path_is_inside_the_package() -> None:
    assert weights_path().parent.name == "pocket"


def test_changed_weights_change_the_scores_at_once() -> None:
    model, ids = tiny(11), torch.tensor([PROMPT])
    with torch.no_grad():
        before = model(input_ids=ids).logits
        assert model.tables() is model.tables()
        model.head.token_bias[20] += 3
        changed = model(input_ids=ids).logits
    assert not torch.allclose(before, changed, atol=1e-2)
    assert torch.allclose(changed, model(input_ids=ids).logits, atol=1e-5)  # with gradients nothing is kept


def test_scores_carry_gradients_to_the_spellings() -> None:
    model = tiny(12)
    model(input_ids=torch.tensor([PROMPT])).logits[0, -1, 20].backward()
    assert float(model.head.token_bias.grad.abs().sum()) > 0


def test_padding_inside_a_cached_prompt_changes_no_score() -> None:
    model = tiny(13)
    with torch.no_grad():
        model.head.copy_match.bias.fill_(2.0)
        head, tail = [SYSTEM, 10, 11, 12], [USER, 11, 12, 13, ASSISTANT, 10, 11, 12]
        whole = model(input_ids=torch.tensor([head + tail])).logits[0, -1]
        cache = model(input_ids=torch.tensor([head]), use_cache=True).past_key_values
        mask = torch.tensor([[1] * 4 + [0] * 3 + [1] * 8])
        again = model(input_ids=torch.tensor([[0] * 3 + tail]), attention_mask=mask, past_key_values=cache).logits[
            0, -1
        ]
    assert torch.allclose(whole, again, atol=1e-4)


def test_a_word_that_stands_bare_gets_a_space_where_copying_begins_and_nowhere_else() -> None:
    model, spaced = tiny(6), 30  # token 30 + n is n with a space before it
    head = model.head
    with torch.no_grad():  # every visible token is copied with the same probability, none comes from the vocabulary
        for layer, bias in (
            (head.copy_toggle, -20),
            (head.copy_bare, 40),
            (head.copy_gate, 20),
            (head.copy_match, 0),
            (head.copy_span, 0),
        ):
            layer.weight.zero_()
            layer.bias.fill_(bias)
        head.copy_key.weight.zero_()
        head.copy_key.bias.zero_()
        prompt = [SYSTEM, 10, USER, 12, 13, 14 + spaced, ASSISTANT]
        begun = model(input_ids=torch.tensor([prompt])).logits[0, -1].exp()
        after = model(input_ids=torch.tensor([[*prompt, 12 + spaced]])).logits[0, -1].exp()
    assert min(begun[12 + spaced], begun[14 + spaced], after[13]) > 0.1
    assert max(begun[12], begun[14], after[13 + spaced]) < 1e-5

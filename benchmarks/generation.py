"""Reading prompts with pocket, against nothing but the matrix products of its linear layers: the floor.

The floor multiplies matrices of the layers' own shapes by plain torch in the same run, for as many tokens. What lies
above it is attention, norms, the copy head over the vocabulary, two decoding steps, tokenizing and bookkeeping.
"""

from benchmarks import Row, Skipped, in_turns
from levers.errors import MissingExtra, ModelError
from levers.ledger import Message
from levers.model import Ask, open_model

REPEATS, BATCH, WORDS = 3, 6, 300


def measure() -> list[Row]:
    """Ask for one token after a long prompt, a batch at a time."""
    try:
        import torch

        model = open_model("pocket")
        sentence = "The driver leaves the parcel with a neighbour if you are out. "
        passage = sentence * (WORDS // len(sentence.split()))
        asks = [
            Ask(messages=(Message(role="user", content=f"{passage} Question {n}: who gets it?"),), max_tokens=1)
            for n in range(BATCH)
        ]
        tokens = sum(reply.usage.input for reply in model.answer(asks))
    except (MissingExtra, ModelError) as error:
        raise Skipped(str(error)) from error
    shapes = _linear_shapes()
    states = {size: torch.randn(tokens, size) for size in {inner for _, inner in shapes}}
    weights = [torch.randn(outer, inner) for outer, inner in shapes]

    def floor() -> None:
        with torch.inference_mode():
            for weight in weights:
                torch.nn.functional.linear(states[weight.shape[1]], weight)

    ours, limit = in_turns(lambda: model.answer(asks), floor, REPEATS)
    operations = 2 * tokens * sum(outer * inner for outer, inner in shapes)
    note = f"{tokens / ours:,.0f} tokens/s; the floor ran at {operations / limit / 1e9:,.0f} GFLOP/s"
    what = f"prompts of {tokens // BATCH} tokens, {BATCH} at once"
    against = "the linear layers' products alone, float32"
    return [Row("generation", what, ours * 1e6 / tokens, against, limit * 1e6 / tokens, "µs per prompt token", note)]


def _linear_shapes() -> list[tuple[int, int]]:
    """Return (out, in) of every linear layer that each prompt token passes through."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from levers.model.pocket import register, weights_path

    register()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(weights_path()))
    linears = [module for module in model.layers.modules() if isinstance(module, torch.nn.Linear)]
    return [(linear.out_features, linear.in_features) for linear in linears]

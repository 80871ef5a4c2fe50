"""Registration of the pocket classes with transformers' Auto classes. Imports torch."""

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from levers.model.pocket.configuration import PocketConfig
from levers.model.pocket.modeling import PocketForCausalLM


def register_classes() -> None:
    """Register config, model and tokenizer classes; repeated calls change nothing."""
    AutoConfig.register(PocketConfig.model_type, PocketConfig, exist_ok=True)
    AutoModelForCausalLM.register(PocketConfig, PocketForCausalLM, exist_ok=True)
    AutoTokenizer.register(  # type: ignore[no-untyped-call,unused-ignore]
        PocketConfig, fast_tokenizer_class=PreTrainedTokenizerFast, exist_ok=True
    )

"""The pocket model: a prefix language model in the shape of a post-norm BERT encoder, with a copy head.

Blocks opened by system and user tokens are read in both directions, the assistant's replies are causal
(see `masking`). The keys that the copy head attends to, and the ids they stand for, live in the key-value cache as one
layer after the last, so beams, batch selection and reuse of a cached prefix treat them like any other layer.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.modeling_outputs import CausalLMOutputWithPast

from levers.model.pocket.configuration import PocketConfig
from levers.model.pocket.head import (
    MATCHED,
    PocketHead,
    Silent,
    Sources,
    TokenTables,
    agreement,
    mixture_logp,
    trailing,
)
from levers.model.pocket.likeness import likeness
from levers.model.pocket.masking import attention_visibility, block_visibility, fold_passages, positions_of

IGNORED = -100


class PocketEmbeddings(nn.Module):
    """Token ids to vectors: word row + spelling row + position row, normalised by the model afterwards."""

    token_base: Tensor
    token_variant: Tensor
    token_toggle: Tensor

    def __init__(self, config: PocketConfig) -> None:
        """Create the tables; the buffers map each token to its word, its spelling and its toggled partner."""
        super().__init__()
        self.words = nn.Embedding(config.num_bases, config.hidden_size)
        self.variants = nn.Embedding(config.num_variants, config.hidden_size)
        count = torch.arange(config.vocab_size, dtype=torch.int32)
        self.register_buffer("token_base", count % config.num_bases)
        self.register_buffer("token_variant", torch.zeros_like(count))
        self.register_buffer("token_toggle", count.clone())
        self._latest: Tensor | None = None

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return [batch, length, size] for [batch, length] ids."""
        self._latest = input_ids
        return self.vectors(input_ids)

    def vectors(self, ids: Tensor) -> Tensor:
        """Do the same for ids that are not what the model reads next."""
        word: Tensor = self.words(self.token_base[ids].long())
        spelling: Tensor = self.variants(self.token_variant[ids].long())
        return word + spelling

    def recall(self, vectors: Tensor) -> Tensor:
        """Return the ids behind [batch, length, size] vectors, -1 where they are unknown.

        PEFT's prompt tuning embeds the ids itself, puts learned vectors before them and hands over vectors alone. What
        was embedded last is recognised at the end of the row by comparing all of it.
        """
        ids = torch.full(vectors.shape[:2], -1, device=vectors.device)
        latest = self._latest
        if latest is None or latest.shape[0] != vectors.shape[0] or latest.shape[1] > vectors.shape[1]:
            return ids
        start = vectors.shape[1] - latest.shape[1]
        with torch.no_grad():
            if torch.equal(vectors[:, start:], self(latest).to(vectors.dtype)):
                ids[:, start:] = latest
        return ids


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Return attention's result; all tensors are [batch, heads, length, head size].

    `mask` is what `encode` made of the visibility: booleans for the fused kernel, or for the plain products the scores
    to add, [batch * heads, length, length].
    """
    if mask is None or mask.dtype == torch.bool:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    shape = query.shape
    flat = (shape[0] * shape[1], shape[2], shape[3])
    query, key, value = (query * flat[2] ** -0.5).reshape(flat), key.reshape(flat), value.reshape(flat)
    scores = torch.baddbmm(mask.to(query.dtype), query, key.transpose(1, 2))
    return torch.bmm(scores.softmax(-1), value).view(shape)


class PocketLayer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, config: PocketConfig, index: int) -> None:
        """Create layer number `index`, which is also its place in the cache."""
        super().__init__()
        size, inner = config.hidden_size, config.intermediate_size
        self.index, self.heads = index, config.num_attention_heads
        self.q_proj, self.k_proj = nn.Linear(size, size), nn.Linear(size, size)
        self.v_proj, self.o_proj = nn.Linear(size, size), nn.Linear(size, size)
        self.up_proj, self.down_proj = nn.Linear(size, inner), nn.Linear(inner, size)
        self.attention_norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.output_norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def _split(self, states: Tensor) -> Tensor:
        batch, length, size = states.shape
        return states.view(batch, length, self.heads, size // self.heads).transpose(1, 2)

    def forward(self, states: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        """Return the next states; `mask` is [batch or 1, 1, length, past + length] booleans, None when all is seen."""
        query = self._split(self.q_proj(states))
        key, value = self._split(self.k_proj(states)), self._split(self.v_proj(states))
        if cache is not None:
            key, value = cache.update(key, value, self.index)
        seen = attend(query, key, value, mask)
        seen = seen.transpose(1, 2).reshape(states.shape)
        states = self.attention_norm(states + self.dropout(self.o_proj(seen)))
        inner = functional.gelu(self.up_proj(states))
        out: Tensor = self.output_norm(states + self.dropout(self.down_proj(inner)))
        return out


class PocketForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc,no-untyped-call,unused-ignore]
    """The pocket model with its head; `logits` are log-probabilities of the mixture of vocabulary and copying."""

    config_class = PocketConfig
    base_model_prefix = "model"
    _supports_sdpa = True
    _no_split_modules = ["PocketLayer"]  # noqa: RUF012  (transformers wants a list)
    LATER = ("head.copy_alike.", "head.copy_bare.", "head.copy_span.", "head.span.")
    """What folders of earlier versions lack: silent layers, and the marks that only a silent one reads."""
    _keys_to_ignore_on_load_missing = list(LATER)  # noqa: RUF012  (transformers wants a list)
    config: PocketConfig

    def __init__(self, config: PocketConfig) -> None:
        """Create a model with random weights."""
        super().__init__(config)
        self.embeddings = PocketEmbeddings(config)
        self.positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.embedding_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.layers = nn.ModuleList(PocketLayer(config, index) for index in range(config.num_hidden_layers))
        self.head = PocketHead(config)
        self._tables: tuple[object, TokenTables] | None = None
        self.post_init()  # type: ignore[no-untyped-call,unused-ignore]

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise what a folder of weights lacks: those from before there was a silent layer go on as they were."""
        super()._init_weights(module)  # type: ignore[no-untyped-call,unused-ignore]
        if isinstance(module, Silent):
            module.reset_parameters()

    def get_input_embeddings(self) -> nn.Module:
        """Return the module that turns token ids into vectors."""
        return self.embeddings

    def get_submodule(self, target: str) -> nn.Module:
        """Return a submodule by name; PEFT looks for what embeds tokens under the name that BERT gave it."""
        return self.embeddings if target == "embeddings.word_embeddings" else super().get_submodule(target)

    def tables(self) -> TokenTables:
        """Return the token tables that the head needs; without gradients they are kept until the weights change."""
        words = self.embeddings
        sources = (words.token_base, words.token_variant, words.token_toggle, self.head.token_bias)
        if torch.is_grad_enabled() or any(each.is_inference() for each in sources):
            return self._new_tables()
        state = tuple((each.data_ptr(), each._version, each.device) for each in sources)
        if self._tables is None or self._tables[0] != state:
            self._tables = (state, self._new_tables())
        return self._tables[1]

    def _new_tables(self) -> TokenTables:
        base, variant = self.embeddings.token_base.long(), self.embeddings.token_variant.long()
        flat = base * self.config.num_variants + variant
        group = torch.full((self.config.num_bases * self.config.num_variants,), -1, device=flat.device)
        group[flat] = torch.arange(len(flat), device=flat.device)
        group = group.view(self.config.num_bases, self.config.num_variants)
        bias = self.head.spelling_bias(group)
        weight = (bias - bias.amax(-1, keepdim=True)).exp().masked_fill(group < 0, 0)
        toggle = self.embeddings.token_toggle.long()
        return TokenTables(base, variant, toggle, flat, group, weight, weight.flatten()[flat])

    def prefix_end(self, tokens: Sequence[int], limit: int) -> int:
        """Return the longest length up to `limit` at which a prompt may be cut and its head computed apart.

        Before a role token nothing sees what follows: a block is read from one side or within itself.
        """
        roles = {self.config.system_token_id, self.config.user_token_id, self.config.assistant_token_id}
        return next((end for end in range(min(limit, len(tokens) - 1), 0, -1) if tokens[end] in roles), 0)

    def encode(self, vectors: Tensor, visible: Tensor, positions: Tensor, cache: Cache | None = None) -> Tensor:
        """Run the layers.

        Args:
            vectors: [batch, length, size] token vectors.
            visible: [batch or 1, length, past + length] booleans.
            positions: [batch, length] position of each token.
            cache: grows by this chunk when given.

        Returns:
            [batch, length, size] states of the last layer.
        """
        states: Tensor = self.dropout(self.embedding_norm(vectors + self.positions(positions)))
        mask = self._mask(vectors, visible, cache)
        for layer in self.layers:
            states = layer(states, mask, cache)
        return states

    def _mask(self, vectors: Tensor, visible: Tensor, cache: Cache | None) -> Tensor | None:
        """Return the mask for `attend`.

        While tuning in bfloat16 on a CPU the plain products are used: the fused kernel's backward pass took five times
        as long there for sequences of 150 tokens. In float32 the fused kernel is the faster one.
        """
        if torch.is_grad_enabled() and cache is None and torch.is_autocast_enabled("cpu"):
            added = torch.zeros(visible.shape, dtype=torch.get_autocast_dtype("cpu")).masked_fill_(~visible, -1e4)
            shape = (len(vectors), self.config.num_attention_heads, *visible.shape[1:])
            return added[:, None].expand(shape).reshape(-1, *visible.shape[1:])
        return None if bool(visible.all()) else visible[:, None]

    def _check_length(self, length: int) -> None:
        limit = self.config.max_position_embeddings
        if length > limit:
            raise ValueError(
                f"pocket reads at most {limit} tokens, but prompt and reply take {length}: shorten the prompt"
            )

    def forward(  # noqa: PLR0913, PLR0917  (the parameters that transformers and PEFT pass by name)
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **unused: Any,
    ) -> CausalLMOutputWithPast:
        """Score the next token of every position.

        With `labels` (not shifted; -100 is ignored) only the loss is computed, at labelled positions alone. Without,
        `logits` is [batch, kept, vocab_size], of the last `logits_to_keep` positions (0: all). When only vectors are
        given, those that this model's embeddings did not just make have no ids: they are read causally before the
        first role token, and cannot be copied.
        """
        del unused
        vectors = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        batch, length = vectors.shape[:2]
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if past_key_values is None and use_cache and labels is None:
            past_key_values = DynamicCache()
        if input_ids is None or input_ids.shape[1] != length:
            input_ids = self.embeddings.recall(vectors)
        ids = input_ids
        passage, shift = fold_passages(ids, self.config)
        visible = attention_visibility(block_visibility(ids, self.config, passage), attention_mask, past)
        if position_ids is None:
            position_ids = positions_of(attention_mask, batch, length, past).to(vectors.device)
        shift = shift + self._shift_before(past_key_values)
        position_ids = (position_ids - shift).clamp(min=0)
        self._check_length(int(position_ids.max()) + 1)
        states = self.encode(vectors, visible, position_ids, past_key_values)
        if attention_mask is not None:
            ids = ids.masked_fill(attention_mask[:, past:] == 0, -1)
        keys, ids, before = self._remember(self.head.keys(states), ids, shift, past_key_values)
        visible = visible & (ids >= 0)[:, None, :]
        if labels is not None:
            return CausalLMOutputWithPast(loss=self._loss(states, keys, visible, ids, labels))
        kept = slice(-logits_to_keep, None) if logits_to_keep else slice(None)
        own = torch.cat([self._bases(ids)[:, past:, None], before[:, past:, :-1]], -1)[:, kept]
        agreed = agreement(own, before)
        asked = torch.arange(past, past + length, device=ids.device).expand(batch, -1)[:, kept]
        copied = self.head.copy_scores(states[:, kept], keys, visible[:, kept], self._sources(ids, asked, agreed))
        logits = self.head.full_logp(states[:, kept], self.embeddings.words.weight, self.tables(), copied, ids)
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)

    def _shift_before(self, cache: Cache | None) -> Tensor | int:
        """Return by how much the positions of what is in the cache lag behind its length, [batch, 1]; 0 without any."""
        place = self.config.num_hidden_layers
        if cache is None or cache.get_seq_length(place) == 0:
            return 0
        layer: Any = cache.layers[place]
        return layer.values[:, 0, -1, -1:].long()  # type: ignore[no-any-return]

    def _remember(self, keys: Tensor, ids: Tensor, shift: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor, Tensor]:
        """Put copy keys, ids and the words before them into the cache's extra layer; return them for all positions.

        The layer's values are, for each position, its id, the words before it, and how far its position was shifted.
        """
        start = torch.full((len(ids), MATCHED), -1, device=ids.device)
        if cache is None:
            return keys, ids, trailing(self._bases(ids), start)
        place = self.config.num_hidden_layers
        new_layer = cache.layer_class_to_replicate or DynamicLayer
        while len(cache.layers) <= place:
            cache.layers.append(new_layer())  # type: ignore[no-untyped-call,unused-ignore]
        held, past = cache.get_seq_length(place), cache.get_seq_length() - ids.shape[1]
        if past > held:  # learned prefixes have keys and values for the layers only: nothing there can be copied
            keys = functional.pad(keys, (0, 0, past - held, 0))
            ids = functional.pad(ids, (past - held, 0), value=-1)
            shift = functional.pad(shift, (past - held, 0))
        elif past:
            layer: Any = cache.layers[place]
            last = layer.values[:, 0, -1, :-1].long()
            start = torch.cat([self._bases(last[:, :1]), last[:, 1:MATCHED]], -1)
            # A filling at the end has no word of its own, but knows those before it.
            start = torch.where(start[:, :1] < 0, last[:, 1:], start)
        rows = torch.cat([ids[:, :, None], trailing(self._bases(ids), start), shift[:, :, None]], -1)
        # Ids are below 2**24, so float32 holds them exactly.
        all_keys, all_rows = cache.update(keys[:, None], rows[:, None].to(torch.float32), place)
        rows = all_rows[:, 0].long()
        return all_keys[:, 0], rows[:, :, 0], rows[:, :, 1:-1]

    def _bases(self, ids: Tensor) -> Tensor:
        """Return the word of each token, -1 where there is none."""
        return self.embeddings.token_base[ids.clamp(min=0)].long().masked_fill(ids < 0, -1)

    def _sources(self, ids: Tensor, asked: Tensor, agreed: Tensor) -> Sources:
        """Return what the ids tell of the positions, asked for at the positions `asked` [batch, queries]."""
        words, known = self.embeddings, ids.clamp(min=0)
        alike = likeness(ids, asked, agreed, words.vectors, self.config)
        paired = (words.token_toggle[known] != known) & (ids >= 0)
        place = torch.arange(ids.shape[1], device=ids.device)
        whole = (ids == self.config.system_token_id) | (ids == self.config.user_token_id)
        role = whole | (ids == self.config.assistant_token_id)
        text = (ids >= 0) & ~role & whole.gather(1, torch.where(role, place, 0).cummax(-1).values)
        before = functional.pad(torch.where(ids >= 0, place, 0).cummax(-1).values, (1, 0))[:, :-1]
        return Sources(agreed, alike, paired & (words.token_variant[known] % 2 == 0), text, before)

    def _loss(self, states: Tensor, keys: Tensor, visible: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        """Return the mean negative log-likelihood over labelled positions."""
        picked = pick_labelled(labels)
        logp, _ = self.score_labelled(states, keys, visible, ids, picked)
        return -logp.sum() / picked[2].sum().clamp(min=1)

    def score_labelled(
        self, states: Tensor, keys: Tensor, visible: Tensor, ids: Tensor, picked: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return log-probabilities of picked targets and the copy attention there.

        `picked` comes from `pick_labelled`; `keys`, `visible` and `ids` begin with what a cache held. The results are
        [batch, most labels] (zero where nothing is labelled) and [batch, most labels, positions] log-probabilities.
        """
        where, targets, real = picked
        rows = torch.arange(len(states), device=states.device)[:, None]
        hidden, seen = states[rows, where], visible.expand(len(states), -1, -1)[rows, where]
        asked, bases = where + ids.shape[1] - states.shape[1], self._bases(ids)
        before = trailing(bases, torch.full((len(ids), MATCHED), -1, device=ids.device))
        agreed = agreement(torch.cat([bases[:, :, None], before[:, :, :-1]], -1)[rows, asked], before)
        copied = self.head.copy_scores(hidden, keys, seen, self._sources(ids, asked, agreed))
        tables = self.tables()
        flat = self.head.target_logp(hidden[real], self.embeddings.words.weight, tables, targets[real])
        vocabulary = torch.zeros(targets.shape, device=flat.device).masked_scatter(real, flat)
        same = targets[:, :, None] == ids[:, None, :]
        toggled = tables.toggle[targets][:, :, None] == ids[:, None, :]
        return mixture_logp(vocabulary, copied, same, toggled) * real, copied.attention


def pick_labelled(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gather the positions that predict a labelled token.

    Args:
        labels: [batch, length] target ids at their own place, -100 where nothing is asked.

    Returns:
        Positions [batch, most], the target ids there, and booleans that are false on filling.
    """
    asked = labels[:, 1:] != IGNORED
    most = max(1, int(asked.sum(-1).max()))
    where = torch.argsort((~asked).to(torch.int8), dim=-1, stable=True)[:, :most]
    real = asked.gather(1, where)
    targets = labels[:, 1:].gather(1, where).masked_fill(~real, 0)
    return where, targets, real

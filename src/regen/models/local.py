"""A model on this machine: what text and audio models have in common.

Rows are padded on the left and get explicit position ids, so that the answer starts at the same
column in every row and an absolute position does not depend on how long the other rows are. An
answer's tokens are appended to the prompt's, never tokenised together with them: that is how a
model meets them when it generates.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.models.protocol import Decoding, Generation

WORTH_A_PASS = 0.1
"""Rows begin alike in so many of their tokens, before what they begin with is read by itself: a
pass has its price, too. Measured with the 135M model of the embedded scale."""
ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}
"""Kinds of layers that mind no padding, as transformers calls them; others carry a state."""
ANSWER_AT_ONCE = {"enable_thinking": False}
"""For the template of a model that can think first, as Qwen3's: thoughts would take the tokens that
an answer has, and are in no answer to learn from. Other templates do not heed it."""


@dataclass(frozen=True)
class Encoded:
    """One row: token ids without batch axis, and what goes beside them (audio features).

    extra: tensors whose first axis counts the clips, and whose last one may differ between rows
    """

    ids: tuple[int, ...]
    extra: dict[str, Tensor]


class LocalModel(ABC):
    """`network` is a transformers model with a language-model head, or such a one inside peft.

    `renderer` is what holds the chat template: the tokenizer, or the processor around it.
    """

    def __init__(self, network: Any, tokenizer: Any, renderer: Any) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.renderer = renderer
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @abstractmethod
    def encode(self, prompt: Prompt) -> Encoded:
        """The chat template applied to `prompt`, up to where the answer starts.

        Raises InputError, naming the file, for audio that the model cannot hear.
        """

    @abstractmethod
    def content(self, prompt: Prompt) -> Any:
        """What the chat template takes as the content of the user's turn, shots left out."""

    def talk(self, prompt: Prompt) -> list[dict[str, Any]]:
        """The turns so far, as a chat template takes them: system, shots, then the question."""
        talk: list[dict[str, Any]] = []
        if prompt.system is not None:
            talk.append({"role": "system", "content": prompt.system})
        for shot in prompt.shots:
            talk.append({"role": "user", "content": self.content(shot.question)})
            talk.append({"role": "assistant", "content": shot.answer})
        talk.append({"role": "user", "content": self.content(prompt)})
        return talk

    def render(self, prompt: Prompt) -> str:
        """The talk so far as the chat template writes it, up to where the answer starts."""
        return str(
            self.renderer.apply_chat_template(
                self.talk(prompt), tokenize=False, add_generation_prompt=True, **ANSWER_AT_ONCE
            )
        )

    @abstractmethod
    def last_logits(self, inputs: dict[str, Tensor], keep: int) -> Tensor:
        """Logits of the last `keep` columns, float32 of shape (rows, keep, vocabulary).

        Only these columns go through the head: all of them would take gigabytes with a large
        vocabulary.
        """

    def answer_ids(self, answer: str) -> list[int]:
        return list(self.tokenizer(answer, add_special_tokens=False)["input_ids"])

    @cached_property
    def end_ids(self) -> list[int]:
        """Tokens that end an answer; the first is the one that training appends."""
        chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "@@"}]
        after = self.renderer.apply_chat_template(chat, tokenize=False).rpartition("@@")[2]
        # Not `all_special_ids`: those are named by an attribute, and Gemma's <end_of_turn> is not.
        added = self.tokenizer.added_tokens_decoder
        closing = [i for i in self.answer_ids(after) if i in added and added[i].special]
        ends = [*closing[:1], self.tokenizer.eos_token_id]
        return list(dict.fromkeys(i for i in ends if i is not None))

    def collate(
        self,
        rows: Sequence[Encoded],
        answers: Sequence[Sequence[int]] | None = None,
        shared: int = 0,
    ) -> dict[str, Tensor]:
        """One batch of `rows`, each followed by its answer's ids, on the model's device.

        input_ids, attention_mask and position_ids have shape (rows, columns); what stands beside
        them has one entry a clip, row by row. shared: so many ids, the same in every row, stand
        before the padding.
        """
        answers = answers if answers is not None else [()] * len(rows)
        full = [(*row.ids, *answer) for row, answer in zip(rows, answers, strict=True)]
        width = max(len(ids) for ids in full)
        ids = torch.full((len(full), width), self.pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(full):
            own = width - len(row) + shared
            ids[number, :shared] = torch.tensor(row[:shared])
            ids[number, own:] = torch.tensor(row[shared:])
            mask[number, :shared] = 1
            mask[number, own:] = 1
        batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": (mask.cumsum(-1) - 1).clamp(min=0),
        }
        for key in rows[0].extra:
            parts = [row.extra[key] for row in rows]
            longest = max(part.shape[-1] for part in parts)
            batch[key] = torch.cat([pad(part, (0, longest - part.shape[-1])) for part in parts])
        return {key: value.to(self.device) for key, value in batch.items()}

    def answer_log_probabilities(
        self, rows: Sequence[Encoded], answers: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor]:
        """Log-probability of each token of each answer after its prompt, and which are real.

        Both of shape (rows, longest answer), padded on the left; float32 and bool.
        """
        width = max(len(answer) for answer in answers)
        logits, ids = self._logits(rows, answers, width + 1)
        targets = ids[:, -width:]
        found = logits[:, :-1].log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        real = torch.zeros_like(targets, dtype=torch.bool)
        for number, answer in enumerate(answers):
            real[number, width - len(answer) :] = True
        return found, real

    def _logits(
        self, rows: Sequence[Encoded], answers: Sequence[Sequence[int]], keep: int
    ) -> tuple[Tensor, Tensor]:
        """`last_logits` of the rows with their answers, and the ids that end in the same columns.

        What all rows begin with is read once; in training the gradient goes through it, too, and
        one dropout is that of all rows there.
        """
        shared = self._shared(rows, max(len(answer) for answer in answers))
        batch: dict[str, Any] = self.collate(rows, answers, shared)
        if shared:
            batch["past_key_values"] = self._read_once(batch["input_ids"][:1, :shared], rows)
            for key in ("input_ids", "position_ids"):
                batch[key] = batch[key][:, shared:]
        return self.last_logits(batch, keep), batch["input_ids"]

    @torch.inference_mode()
    def score_options(self, prompts: Sequence[Prompt], options: Sequence[str]) -> np.ndarray:
        """Log-probability of each option as the start of the answer, summed over its tokens.

        Returns float32 of shape (prompts, options). Options of one token each cost one pass over
        the prompts, longer ones a pass an option.
        """
        self.network.eval()
        rows = [self.encode(prompt) for prompt in prompts]
        ids = [self.answer_ids(option) for option in options]
        if all(len(option) == 1 for option in ids):
            logits, _ = self._logits(rows, [()] * len(rows), 1)
            scores = logits[:, 0].log_softmax(-1)[:, [option[0] for option in ids]]
        else:
            columns = []
            for option in ids:
                found, real = self.answer_log_probabilities(rows, [option] * len(rows))
                columns.append((found * real).sum(-1))
            scores = torch.stack(columns, dim=-1)
        return scores.float().cpu().numpy()

    def generate(self, question: str | Prompt, decoding: Decoding | None = None) -> str:
        prompt = Prompt(question) if isinstance(question, str) else question
        return self.generate_batch([prompt], decoding or Decoding())[0].text

    @torch.inference_mode()
    def generate_batch(self, prompts: Sequence[Prompt], decoding: Decoding) -> list[Generation]:
        """Text for each prompt. With a temperature, the draws depend on the seed and the batch.

        What all prompts begin with, as examples that are answered, is read once.
        """
        self.network.eval()
        rows = [self.encode(prompt) for prompt in prompts]
        shared = self._shared(rows, decoding.max_new_tokens)
        batch = self.collate(rows, shared=shared)
        batch.pop("position_ids")  # `generate` derives the same ones from the mask, step by step
        arguments: dict[str, Any] = {"do_sample": False}
        if decoding.temperature > 0:
            arguments = {
                "do_sample": True,
                "temperature": decoding.temperature,
                "top_p": decoding.top_p,
                "top_k": decoding.top_k,
            }
        if shared:
            arguments["past_key_values"] = self._read_once(batch["input_ids"][:1, :shared], rows)
        if decoding.constrained:
            arguments["logits_processor"] = [self._only_json(prompts, batch)]
        with torch.random.fork_rng():
            torch.manual_seed(decoding.seed)
            output = self.network.generate(
                **batch,
                **arguments,
                max_new_tokens=decoding.max_new_tokens,
                pad_token_id=self.pad,
                eos_token_id=self.end_ids,
            )
        new = output[:, batch["input_ids"].shape[1] :].tolist()
        return [self._generation(ids) for ids in new]

    def _shared(self, rows: Sequence[Encoded], new: int) -> int:
        """How many ids all rows begin with, less the last of a row, if reading them once pays.

        0 for rows with audio; for layers that carry a state past the padding that then stands
        inside the text; and if that outgrows a window or chunk of attention, which counts the
        padding. new: ids that will follow a row.
        """
        config = self.network.config.get_text_config()
        attends = set(getattr(config, "layer_types", None) or ATTENTION) <= ATTENTION
        windows = [getattr(config, key, None) for key in ("sliding_window", "attention_chunk_size")]
        longest = max(len(row.ids) for row in rows) + new
        fits = all(window is None or longest <= window for window in windows)
        if len(rows) == 1 or rows[0].extra or not attends or self.network._is_stateful or not fits:
            return 0
        columns = zip(*(row.ids[:-1] for row in rows), strict=False)
        shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
        spared = shared * (len(rows) - 1)
        return shared if spared >= WORTH_A_PASS * sum(len(row.ids) for row in rows) else 0

    def _read_once(self, ids: Tensor, rows: Sequence[Encoded]) -> Any:
        """The cache of `ids`, (1, columns), for each of the rows."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self.network.config.get_text_config())
        mask = torch.ones_like(ids)
        self.network(input_ids=ids, attention_mask=mask, past_key_values=cache, logits_to_keep=1)
        cache.batch_repeat_interleave(len(rows))
        return cache

    def _only_json(self, prompts: Sequence[Prompt], batch: dict[str, Tensor]) -> Any:
        from regen.models.constrained import OnlyJson

        forms = [prompt.form for prompt in prompts if prompt.form is not None]
        if len(forms) < len(prompts):
            raise InputError("decoding.constrained: the benchmark names no form of its answers")
        return OnlyJson(self.tokenizer, self.end_ids[0], forms, batch["input_ids"].shape[1])

    def _generation(self, ids: list[int]) -> Generation:
        ends = set(self.end_ids)
        length = next((n for n, token in enumerate(ids) if token in ends), None)
        finish = "length" if length is None else "stop"
        kept = ids[:length]
        text = self.tokenizer.decode(kept, skip_special_tokens=True)
        drawn = tuple(ids if length is None else ids[: length + 1])
        return Generation(text=text, tokens=len(kept), finish=finish, ids=drawn)

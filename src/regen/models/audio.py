"""Language models that hear: Qwen2-Audio, and the thinker of Qwen3-Omni."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.nn.functional import pad

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.models.local import Encoded, LocalModel

CACHE_BYTES = 2**30
"""Features of so many bytes are kept: an epoch of short clips is analysed once, not every time."""


class AudioModel(LocalModel):
    """`processor` is a Qwen2AudioProcessor, or has the same parts.

    These are tokenizer, feature_extractor, audio_token and apply_chat_template.
    """

    clip_entry: ClassVar[dict[str, str]] = {"type": "audio", "audio_url": ""}
    """How the chat template is told of a clip."""
    padding: ClassVar[str] = "max_length"
    """Qwen2-Audio's encoder takes the whole window, whatever the clip's length."""
    fewest_tokens: ClassVar[int] = 2
    """With a single audio token transformers takes the row for one that is not expanded yet."""

    def __init__(self, network: Any, processor: Any) -> None:
        super().__init__(network, processor.tokenizer, renderer=processor)
        self.processor = processor
        self._features: dict[Path, tuple[Tensor, Tensor]] = {}
        self._cached = 0

    def content(self, prompt: Prompt) -> list[dict[str, str]]:
        return [*(self.clip_entry for _ in prompt.audio), {"type": "text", "text": prompt.text}]

    def encode(self, prompt: Prompt) -> Encoded:
        if not prompt.audio:
            raise InputError("a question has no clip; this model is asked about sounds")
        token = self.processor.audio_token
        before, *after = self.render(prompt).split(token)
        if len(after) != len(prompt.heard):
            raise InputError(f"a prompt holds {token}, which stands for a clip; take it out")
        heard = [self.features(path) for path in prompt.heard]
        counts = [self.audio_tokens(int(mask.sum())) for _, mask in heard]
        pieces = [token * n + text for n, text in zip(counts, after, strict=True)]
        longest = max(mask.shape[-1] for _, mask in heard)
        return Encoded(
            ids=tuple(self.answer_ids(before + "".join(pieces))),
            extra={
                "input_features": torch.stack([_widened(f, longest) for f, _ in heard]),
                "feature_attention_mask": torch.stack([_widened(m, longest) for _, m in heard]),
            },
        )

    def features(self, path: Path) -> tuple[Tensor, Tensor]:
        """Log-mel features (bins, frames) in float32 and which frames are sound (frames,)."""
        if path in self._features:
            return self._features[path]
        extractor = self.processor.feature_extractor
        samples = read_clip(path, extractor.sampling_rate, extractor.chunk_length)
        found = extractor(
            samples,
            sampling_rate=extractor.sampling_rate,
            padding=self.padding,
            return_attention_mask=True,
            return_tensors="pt",
        )
        features, mask = found["input_features"][0], found["attention_mask"][0]
        if self.audio_tokens(int(mask.sum())) < self.fewest_tokens:
            raise InputError(f"{path}: the clip is too short to be heard; drop it from the data")
        size = features.numel() * 4
        if self._cached + size <= CACHE_BYTES:
            self._cached += size
            self._features[path] = features, mask
        return features, mask

    def audio_tokens(self, frames: int) -> int:
        """Tokens that the encoder makes of so many mel frames: two layers that halve them."""
        return ((frames - 1) // 2 + 1 - 2) // 2 + 1

    def last_logits(self, inputs: dict[str, Tensor], keep: int) -> Tensor:
        # The class's own forward puts every column through the head.
        network = self.network
        if hasattr(network, "peft_config"):
            network = network.get_base_model()
        hidden = network.base_model(**inputs, use_cache=False).last_hidden_state[:, -keep:]
        return network.get_output_embeddings()(hidden).float()


class OmniModel(AudioModel):
    """The thinker of Qwen3-Omni, the part that answers in text.

    Its processor wants the libraries for images and video as well, so its parts are taken alone.
    """

    clip_entry: ClassVar[dict[str, str]] = {"type": "audio", "audio": ""}
    padding: ClassVar[str] = "longest"
    fewest_tokens: ClassVar[int] = 1

    def __init__(self, network: Any, tokenizer: Any, extractor: Any) -> None:
        super().__init__(network, Ears(tokenizer, extractor))

    def audio_tokens(self, frames: int) -> int:
        """Three layers that halve the frames, window by window."""
        window = 2 * self.network.config.audio_config.n_window
        left = frames % window
        for _ in range(3):
            left = (left - 1) // 2 + 1
        return left + frames // window * 13

    def last_logits(self, inputs: dict[str, Tensor], keep: int) -> Tensor:
        # It counts positions along three axes, from the mask and the clips' lengths.
        return super().last_logits({k: v for k, v in inputs.items() if k != "position_ids"}, keep)


@dataclass(frozen=True)
class Ears:
    """What an audio model needs of a processor, from a tokenizer that names its audio token."""

    tokenizer: Any
    feature_extractor: Any

    @property
    def audio_token(self) -> str:
        return str(self.tokenizer.audio_token)

    def apply_chat_template(self, talk: Any, **options: Any) -> Any:
        return self.tokenizer.apply_chat_template(talk, **options)


def _widened(values: Tensor, length: int) -> Tensor:
    return pad(values, (0, length - values.shape[-1]))


def read_clip(path: Path, rate: int, longest: float) -> np.ndarray:
    """Mono samples in float32, at `rate` Hz, `longest` seconds at most.

    Raises InputError for a file that is missing, no audio, or not as the model needs it.
    """
    if not path.exists():
        raise InputError(f"{path}: the clip is missing; rebuild the data set")
    try:
        samples, found = soundfile.read(path, dtype="float32")
    except (soundfile.LibsndfileError, RuntimeError):
        raise InputError(f"{path}: is not audio that can be read; rebuild the data set") from None
    if samples.ndim != 1 or not len(samples):
        raise InputError(f"{path}: is not one channel of sound; rebuild the data set as mono")
    if found != rate:
        raise InputError(f"{path}: is sampled at {found} Hz; resample it to {rate} Hz")
    if len(samples) > longest * rate:
        raise InputError(
            f"{path}: lasts {len(samples) / rate:.2f} s, the model hears {longest} s; shorten it"
        )
    if not np.isfinite(samples).all():
        raise InputError(f"{path}: holds samples that are no numbers; rebuild the data set")
    return samples

"""Language models that hear: Qwen2-Audio and what is built like it."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from torch import Tensor

from regen.benchmarks.base import Prompt
from regen.errors import InputError
from regen.models.local import Encoded, LocalModel

CACHE_BYTES = 2**30
"""Features of so many bytes are kept: an epoch of short clips is analysed once, not every time."""


class AudioModel(LocalModel):
    """`processor` is a Qwen2AudioProcessor: tokenizer, chat template and mel features."""

    def __init__(self, network: Any, processor: Any) -> None:
        super().__init__(network, processor.tokenizer, renderer=processor)
        self.processor = processor
        self._features: dict[Path, tuple[Tensor, Tensor]] = {}
        self._cached = 0

    def encode(self, prompt: Prompt) -> Encoded:
        content: list[dict[str, str]] = [{"type": "audio", "audio_url": ""} for _ in prompt.audio]
        content.append({"type": "text", "text": prompt.text})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if prompt.system is not None:
            messages.insert(0, {"role": "system", "content": prompt.system})
        text = self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        if len(prompt.audio) != 1:
            raise InputError(f"a prompt has {len(prompt.audio)} clips; ask about exactly one")
        features, mask = self.features(prompt.audio[0])
        token = self.processor.audio_token
        text = text.replace(token, token * audio_tokens(int(mask.sum())))
        return Encoded(
            ids=tuple(self.answer_ids(text)),
            extra={"input_features": features, "feature_attention_mask": mask},
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
            padding="max_length",
            return_attention_mask=True,
            return_tensors="pt",
        )
        features, mask = found["input_features"][0], found["attention_mask"][0]
        if audio_tokens(int(mask.sum())) < 2:
            # With a single audio token transformers takes the row for one that is not expanded yet.
            raise InputError(f"{path}: the clip is too short to be heard; drop it from the data")
        size = features.numel() * 4
        if self._cached + size <= CACHE_BYTES:
            self._cached += size
            self._features[path] = features, mask
        return features, mask

    def last_logits(self, inputs: dict[str, Tensor], keep: int) -> Tensor:
        # Qwen2-Audio's own forward puts every column through the head.
        network = self.network
        if hasattr(network, "peft_config"):
            network = network.get_base_model()
        hidden = network.base_model(**inputs, use_cache=False).last_hidden_state[:, -keep:]
        return network.get_output_embeddings()(hidden).float()


def audio_tokens(frames: int) -> int:
    """Tokens that the encoder makes of so many mel frames: two layers that halve them."""
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


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

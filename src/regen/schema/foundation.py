"""Data sets and base models: what no study owns."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from regen.schema.common import Name, Positive, Section, Seed


class SplitSizes(Section):
    """How many items of each split."""

    train: Positive
    """items to train on"""
    dev: Positive
    """items to choose on"""
    test: Positive
    """items to report on; touched once"""


class SpeechData(Section):
    """Speech by a synthesiser and non-speech from several sources, as two-second clips."""

    builder: Literal["speech"]
    """the data stage that makes it: src/regen/data/speech.py"""
    sources: Annotated[
        list[Literal["espeakng-loader", "captcha", "foxdot", "arcade"]], Field(min_length=4)
    ] = ["espeakng-loader", "captcha", "foxdot", "arcade"]
    """packages of data/sources.txt that it is derived from"""
    seed: Seed = 7
    """of every random choice in the clips"""
    sizes: SplitSizes
    """clips in each split; a study takes a prefix of each"""


class TinyAudioArchitecture(Section):
    """Sizes of a tiny Qwen2-Audio; feed-forward layers are twice as wide as their input."""

    mel_bins: Positive = 64
    """frequency bands of the spectrogram"""
    window_seconds: Positive = 2
    """longest clip that is heard"""
    audio_width: Positive = 96
    """width of the encoder's layers"""
    audio_layers: Positive = 1
    """layers of the encoder"""
    text_width: Positive = 64
    """width of the language model's layers"""
    text_layers: Positive = 2
    """layers of the language model"""
    heads: Positive = 4
    """attention heads in either"""
    vocabulary: Annotated[int, Field(strict=True, ge=280)] = 512
    """tokens, bytes and special ones included"""

    @model_validator(mode="after")
    def _heads_divide(self) -> "TinyAudioArchitecture":
        if self.audio_width % self.heads or self.text_width % (2 * self.heads):
            raise ValueError(
                f"{self.heads} heads must divide audio_width, and text_width into even parts"
            )
        return self


class TinyAudioPretraining(Section):
    """Questions about sounds: first unmistakable ones, then the whole mixture."""

    steps: Positive = 500
    """of AdamW, with warm-up and cosine decay"""
    batch_size: Positive = 32
    """questions a step"""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-3
    """peak"""
    warmup_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    """share of the steps over which the learning rate rises"""
    plain_fraction: Annotated[float, Field(ge=0, le=1)] = 0.6
    """share of the steps, at the start, with questions whose answer words have one meaning"""
    contrary_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    """share, later, of questions whose answer words mean the opposite elsewhere"""
    other_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """share, later, of questions about something else than the target"""
    items: Annotated[int, Field(strict=True, ge=0)] = 0
    """the first so many training items; 0 for all"""


class TinyAudioModel(Section):
    """A tiny Qwen2-Audio, built by code and pretrained on questions about sounds."""

    builder: Literal["tiny_audio"]
    """the stage that makes it: src/regen/models/tiny_audio.py"""
    dataset: Name
    """data set whose train split it is pretrained on"""
    benchmark: Name
    """benchmark whose phrasings it is asked"""
    architecture: TinyAudioArchitecture = TinyAudioArchitecture()
    """sizes of the network"""
    pretraining: TinyAudioPretraining = TinyAudioPretraining()
    """how it learns to hear"""
    seed: Seed = 1
    """of initialisation and order"""


class HubModel(Section):
    """A model of the hub at a pinned revision, read from the local cache."""

    builder: Literal["hub"]
    """the stage that makes it: src/regen/models/hub.py"""
    id: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """the model's id: owner/name"""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    """commit of the model; null where none is pinned yet, and then it does not run"""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """of the weights; auto is bfloat16 on a GPU, float32 without"""
    quantisation: Literal["none", "nf4"] = "none"
    """nf4: four bits, double quantisation; adapters trained on it are QLoRA"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto is a GPU if there is one"""


Model = Annotated[TinyAudioModel | HubModel, Field(discriminator="builder")]

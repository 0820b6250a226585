"""What an experiment was asked to do: named parameters, to which any study may add its own."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from regen.errors import InputError
from regen.files import plain


class ExperimentConfig(BaseModel):
    """A reinforcement-learning run on reasoning problems; further parameters are kept as they are.

    A study with other parameters subclasses it, or starts an experiment with a plain mapping.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    base_model: str = "google/gemma-3-1b-it"
    use_lora: bool = True
    lora_rank: int = 8
    lora_alpha: int = 16

    num_steps: int = 500
    learning_rate: float = 5e-5
    batch_size: int = 64
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    warmup_fraction: float = 0.1

    num_generations: int = 4
    beta: float = 0.1
    epsilon: float = 0.2
    temperature: float = 0.7
    max_prompt_length: int = 1024
    max_generation_steps: int = 512
    top_k: int = 50
    top_p: float = 0.9

    dataset_name: str = "openrubrics"
    train_size: int = 8000
    eval_size: int = 1000
    seed: int = 42

    format_weight: float = 1.0
    accuracy_weight: float = 2.0
    rubric_weight: float = 0.5

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ExperimentConfig":
        """Raises InputError, naming the parameter, for a value of the wrong type."""
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"experiment configuration: {where}: {first['msg']}, not {first['input']!r}"
            ) from None

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def parameters(config: ExperimentConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as JSON values."""
    values = config.to_dict() if isinstance(config, ExperimentConfig) else dict(config)
    return dict(plain(values, "config"))


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """{"lora.r": 8} of {"lora": {"r": 8}}; lists stay whole."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{name}.")
        else:
            found[name] = value
    return found

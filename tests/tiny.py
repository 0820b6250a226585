"""What makes a scale small enough for a test: few items, few steps, no GPU, no sentence encoder."""

from typing import Any

from regen.schema import Config

HERE = {"threads": 1, "mem_mb": 2000, "runtime": 10, "gpu": 0}
SHORT = {"max_steps": 2, "batch_size": 2}
FEW = {"train": 6, "dev": 4, "test": 8}
SIZES = {
    "speech": {"train": 24, "dev": 12, "test": 16},
    "qa": {"train": 20, "dev": 20, "test": 20},
    "decisions": {"train": 8, "dev": 8, "test": 12},
    "retention": {"train": 8, "dev": 8, "test": 12},
    "replies": {"train": 40, "dev": 8, "test": 10},
    "humaneval": {"train": 2, "dev": 2, "test": 8},
    "traits": {"train": 16, "dev": 8, "test": 12},
    "traits-llm": {"train": 16, "dev": 8, "test": 12},
    "gsm8k": {"train": 24, "dev": 8, "test": 12},
    "math": {"train": 24, "dev": 8, "test": 12},
}
"""Of the data sets, by name."""


def tiny(config: Config) -> dict[str, Any]:
    """An overlay: everything of the scale runs, for one seed."""
    return {
        "scale": "tiny",
        "strict_environment": False,
        "datasets": {name: {"sizes": SIZES[name]} for name in config.datasets},
        "models": {"minilm": None},
        "studies": {name: _study(config, name) for name in config.studies},
        "resources": {stage: HERE for stage in config.resources},
        "model_resources": dict.fromkeys(config.model_resources),
        "simulation": {
            "items": [30], "seeds": [1, 3], "seed_sd": [0.05], "replications": 40,
            "interval_replications": 5, "resamples": 50,
        },
    }  # fmt: skip


def _study(config: Config, name: str) -> dict[str, Any]:
    study = config.studies[name]
    trainings: dict[str, Any] = {one: {"optimisation": SHORT} for one in study.trainings}
    if name == "traits":  # every epoch is kept
        trainings = {"qlora": {"optimisation": {"batch_size": 4}}}
    if name == "replies":  # after every epoch, three steps, items of dev are looked at
        epoch = SHORT | {"max_steps": 3, "dev_items": 2}
        trainings = {one: {"optimisation": epoch} for one in study.trainings}
    if name == "math":
        rewarded = {"num_steps": 2, "max_new_tokens": 16}
        trainings["sft"]["items"] = 4
        trainings["grpo"] = {"optimisation": {"batch_size": 8}, "reinforcement": rewarded}
    found: dict[str, Any] = {
        "items": {"train": 2, "dev": 2, "test": 2} if name == "code" else FEW,
        "seeds": [42],
        "trainings": trainings,
    }
    if study.resources:
        found["resources"] = {stage: HERE for stage in study.resources}
    if study.encoder:
        found["encoder"] = None
    return found

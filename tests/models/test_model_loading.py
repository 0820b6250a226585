"""Choosing the class, and refusing what cannot be right."""

import json
import shutil
from pathlib import Path

import pytest

from regen.errors import InputError
from regen.models.audio import AudioModel
from regen.models.loading import content_id, load
from regen.models.text import CausalLM


@pytest.fixture
def copy(reading: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(reading, tmp_path / "base"))


def test_the_class_follows_the_configuration(hearing: Path, reading: Path) -> None:
    assert isinstance(load(hearing), AudioModel)
    assert isinstance(load(reading), CausalLM)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config\.json"):
        load(tmp_path)


def test_an_unsupported_architecture(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))
    with pytest.raises(InputError, match="BertModel is not supported"):
        load(copy)


def test_pickled_weights_are_not_read(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(InputError, match="no weights in safetensors"):
        load(copy)


def test_truncated_weights_are_one_line(copy: Path) -> None:
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match="cannot be loaded") as error:
        load(copy)
    assert "\n" not in str(error.value)


def test_an_adapter_of_another_base_is_refused(
    hearing: Path, reading: Path, tmp_path: Path
) -> None:
    adapter = {"base_model_name_or_path": content_id(hearing)}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    with pytest.raises(InputError, match="was trained on another base") as error:
        load(reading, tmp_path)
    assert "\n" not in str(error.value)


def test_a_base_that_was_never_finished_has_no_content_id(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="never finished"):
        content_id(tmp_path)

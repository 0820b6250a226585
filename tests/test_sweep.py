"""A sweep: each run is what training, asking and scoring give; one that fails is written down."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from regen.chain import Chain
from regen.chain.study import Home, prediction_job, scoring_job, training_job
from regen.config import check, read
from regen.digests import Digests
from regen.errors import InputError
from regen.files import read_json, read_jsonl, write_json
from regen.metrics import Metric
from regen.provenance import Job, run
from regen.tables.sweeps import sweeps_table
from regen.tracking import LocalBackend
from regen.tracking.jobs import Watch

SWEEP = "studies.math.sweeps.warm-start"
ROOT = "results/smoke/math/sweeps/warm-start"
# Adam's steps are as long as the rate, so that only an absurd one overflows.
TOO_HIGH = "1.0e+30"


def chain_of(project: Path, *changes: str) -> Chain:
    """Two steps, the second of which meets what a rate that is too high did in the first."""
    steps = "studies.math.trainings.sft.optimisation.batch_size=4"
    files = [project / "config.yaml", project / "config" / "smoke.yaml"]
    return Chain(check(read(files, [steps, *changes])))


def make(job: Job) -> None:
    run(job, Digests(), watch=Watch("smoke", False))


@pytest.fixture(scope="module")
def chain(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """With data and base, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sweep"))
        patch.setenv("OMP_NUM_THREADS", "1")
        found = chain_of(project, f"{SWEEP}.learning_rate=[0.002, {TOO_HIGH}]", f"{SWEEP}.r=[2]")
        make(found.job("data", dataset="math-smoke"))
        make(found.job("models", base="tiny-text-smoke"))
        for job in found.of_stage("sweep"):
            make(job)
        yield found


def test_a_run_is_what_the_three_stages_give(chain: Chain) -> None:
    study = chain.config.studies["math"]
    home = Home("math", study, "results/smoke/apart")
    recipe = study.runs("warm-start")["r2-lr0.002"]
    row = study.variants["sft"].model_copy(update={"training": "alone"})
    trained = training_job(home, "alone", recipe, 42)
    scored = scoring_job(home, "alone", "seed-42", "dev")
    for job in (trained, prediction_job(home, "alone", row, "seed-42", "dev"), scored):
        make(job)
    rows = read_jsonl(Path(scored.out, "items.jsonl"))
    values = [one["metrics"]["format_accuracy"] for one in rows]
    outcome = read_json(Path(ROOT, "r2-lr0.002", "outcome.json"))
    assert outcome["status"] == "completed" and outcome["n_items"] == len(values) > 0
    assert outcome["value"] == pytest.approx(sum(values) / len(values))
    log = Path(ROOT, "r2-lr0.002", "log.jsonl").read_bytes()
    assert log == Path(trained.out, "log.jsonl").read_bytes()
    assert outcome["steps"] == 2
    assert not Path(ROOT, "r2-lr0.002", ".run").exists()


def test_a_run_that_fails_is_written_down_and_the_rest_goes_on(chain: Chain) -> None:
    failed = Path(ROOT, "r2-lr1e+30")
    outcome = read_json(failed / "outcome.json")
    assert outcome["status"] == "failed" and "lower learning_rate" in outcome["value"]["absent"]
    assert (failed / "items.jsonl").read_text() == (failed / "log.jsonl").read_text() == ""
    found = {one["address"]: one for one in LocalBackend().get_all_experiments()}
    assert found[str(failed)]["status"] == "failed"
    assert "lower learning_rate" in found[str(failed)]["error"]
    assert found[f"{ROOT}/r2-lr0.002"]["status"] == "completed"


def test_the_table_says_which_failed_and_why(chain: Chain) -> None:
    files = [Path(job.out, "outcome.json") for job in chain.of_stage("sweep")]
    tried = chain.job("tables", study="math").params["tried"]
    table = sweeps_table(files, "math", tried, {"format_accuracy": Metric("in the format")})
    good, bad = table.rows
    assert [cell.text for cell in bad.cells][1:5] == ["1e+30", "2", "0", "failed"]
    assert bad.cells[5].text == "–" and good.cells[4].text == "completed"
    value = read_json(files[0])["value"]
    assert good.cells[5].text == f"{100 * value:.1f}"
    assert good.cells[5].sources[0].input == "sweeps/warm-start/r2-lr0.002"
    assert "r2-lr1e+30: training: the loss is" in table.notes[0]


def test_a_table_of_a_large_sweep_has_its_best_runs(tmp_path: Path) -> None:
    draw = np.random.default_rng(3).permutation
    files, tried, values = [], {}, {}
    for sweep in ("a", "b"):
        for number, value in enumerate(draw(200).tolist()):
            failed = value < 20
            found = {"absent": "it diverged"} if failed else value / 200
            outcome = {"metric": "loss", "status": "failed" if failed else "completed", "steps": 2}
            files.append(tmp_path / "sweeps" / sweep / f"r{number}" / "outcome.json")
            write_json(files[-1], outcome | {"value": found})
            tried[f"{sweep}/r{number}"] = {"r": number, "learning_rate": 0.1}
            values[f"{sweep}/r{number}"] = value
    loss = Metric("loss", larger_is_better=False)
    table = sweeps_table(files, "math", tried, {"loss": loss})
    shown = [values[row.name] for row in table.rows]
    assert shown == [*range(20, 35), *range(20, 35)]
    assert [row.name[0] for row in table.rows] == ["a"] * 15 + ["b"] * 15
    assert "400 runs" in table.notes[0]
    assert table.notes[1].count("it diverged") == 5 and "35 more" in table.notes[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), OSError(28, "no room")])
def test_what_is_not_the_runs_own_doing_ends_it(
    chain: Chain, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**given: object) -> None:
        raise error

    monkeypatch.setattr("regen.sweep.predict", fails)
    job = replace(chain.of_stage("sweep")[0], out=f"{ROOT}/{type(error).__name__}")
    with pytest.raises(type(error)):
        make(job)
    assert not Path(job.out, "outcome.json").exists()
    assert Path(job.out, ".run", "adapter", "summary.json").exists()
    monkeypatch.undo()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    make(job)
    first = Path(chain.of_stage("sweep")[0].out, "outputs.sha256")
    assert Path(job.out, "outputs.sha256").read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (f"{SWEEP}.variant=sftt", "did you mean 'sft'"),
        (f"{SWEEP}.variant=base", "no trained variant 'base'"),
        (f"{SWEEP}.variant=grpo", "goes on with an adapter of given rank"),
        (f"{SWEEP}.r=[4, 4]", "names one twice"),
        (f"{SWEEP}.learning_rate=[]", "two runs or more"),
        (f"{SWEEP}.learning_rate=[0]", "greater than 0"),
        (f"{SWEEP}.metric=acuracy", "did you mean 'accuracy'"),
    ],
)
def test_a_bad_sweep_is_one_line(project: Path, change: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        chain_of(project, change)

"""What a run would take and cost, before it starts."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.exceptions import WorkflowError
from test_planning import workflow

from regen import estimates, targets
from regen.benchmarks.base import Prompt
from regen.chain import Chain
from regen.config import check, read
from regen.digests import Digests
from regen.errors import InputError
from regen.estimates import ASSUMED
from regen.files import write_json
from regen.forecast import ALIKE, ESTIMATE, RECORDED, Forecast, forecast, over_budget
from regen.planning import Plan
from regen.provenance import Job
from regen.status import FRESH, MISSING, NOT_HERE, State
from regen.targets import jobs_of, would_run

PRICES = "prices={gpu_hour: 2.0, core_hour: 0.1}"


def chain(project: Path, *changes: str, scale: str | None = None) -> Chain:
    overlay = [project / "config" / f"{scale}.yaml"] if scale else []
    return Chain(check(read([project / "config.yaml", *overlay], changes)))


def forecast_of(of: Chain, job: Job) -> Forecast:
    return forecast(of, {job.out: State(job.out, job.stage, MISSING)})[0]


def training(of: Chain, study: str, recipe: str, seed: int) -> Job:
    return of.job("training", study=study, training=recipe, seed=str(seed))


def test_what_ran_before_says_how_long_it_takes(project: Path, workdir: Path) -> None:
    steps = "studies.speech.trainings.lora.optimisation.max_steps"
    of = chain(project, f"{steps}=30")
    job = training(of, "speech", "lora", 42)
    # Six steps, resumed or not, took two minutes: thirty take ten.
    write_json(Path(job.out, "timing.json"), {"seconds": 120, "steps": 6, "resumed_at": 24})
    assert (forecast_of(of, job).seconds, forecast_of(of, job).basis) == (600, RECORDED)
    other = forecast_of(of, training(of, "speech", "lora", 123))
    assert (other.seconds, other.basis) == (600, ALIKE)
    assert forecast_of(of, training(of, "qa", "qlora", 42)).basis != ALIKE

    asked = of.job("prediction", study="speech", variant="lora", run="seed-42", split="test")
    write_json(Path(asked.out, "timing.json"), {"seconds": 50, "items": 10})
    assert forecast_of(of, asked).seconds == 5 * asked.params["limit"]
    # A search that went on from an earlier call took its seconds for what was left.
    search = of.job("prompts", study="speech", search="base-opro")
    evaluated = {"seconds": 10, "evaluations": 48, "resumed_at": 38}
    write_json(Path(search.out, "timing.json"), evaluated)
    assert forecast_of(of, search).seconds == pytest.approx(search.params["evaluations"])
    # run.json has the seconds of stages that measure nothing themselves.
    scored = of.job("scoring", study="speech", variant="lora", run="seed-42", split="test")
    write_json(Path(scored.out, "run.json"), {"seconds": 3})
    assert forecast_of(of, scored).seconds == 3


def test_a_model_that_never_ran_is_estimated_from_its_size(
    project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ASSUMED, "GPU, seconds of a new token at least", 0.0)
    of = chain(project, scale="paper")
    job = training(of, "qa", "qlora", 42)
    one = forecast_of(of, job)
    # 3 billion parameters; 120 items, three times, at 6 FLOP a parameter and token.
    computing = 3 * 120 * 800 * 6 * 3e9 / 1e14
    loading = ASSUMED["seconds to start a job"] + 2 * 3e9 / 1e12
    assert one.seconds == pytest.approx(computing + loading)
    assert (one.basis, one.gpu) == (ESTIMATE, 1)
    small = chain(project, scale="small")
    assert forecast_of(small, training(small, "qa", "qlora", 42)).seconds < one.seconds
    # Of a mixture of experts all weights are loaded, and a token meets a tenth of them.
    omni = of.job("prediction", study="speech", variant="qwen3-omni", run="base", split="test")
    dense = of.job("prediction", study="speech", variant="base", run="base", split="test")
    mixture, whole = forecast_of(of, omni).seconds, forecast_of(of, dense).seconds
    assert mixture is not None and whole is not None
    start = ASSUMED["seconds to start a job"]
    assert (mixture - start - 0.06) / (whole - start - 0.014) == pytest.approx(3 / 7)


def test_reinforcement_takes_its_own_number_of_steps(project: Path, workdir: Path) -> None:
    for steps, seconds in ((40, 60), (500, 750)):
        of = chain(project, f"studies.math.trainings.grpo.reinforcement.num_steps={steps}")
        job = training(of, "math", "grpo", 42)
        write_json(Path(job.out, "timing.json"), {"seconds": 60, "steps": 40, "resumed_at": 0})
        one, other = forecast_of(of, job), forecast_of(of, training(of, "math", "grpo", 123))
        assert (one.seconds, one.basis) == (seconds, RECORDED)
        assert (other.seconds, other.basis) == (seconds, ALIKE)


@pytest.mark.parametrize(
    ("change", "draws", "again"),
    [("beta=0.02", 40, 1), ("beta=0", 40, 0), ("num_iterations=3", 14, 2)],
)
def test_reinforcement_draws_reads_and_learns_its_outputs(
    project: Path, workdir: Path, change: str, draws: int, again: int
) -> None:
    of = chain(project, f"studies.math.trainings.grpo.reinforcement.{change}")
    one = forecast_of(of, training(of, "math", "grpo", 42))
    # A million parameters on one core. 64 outputs of 48 tokens, which follow the 96 tokens that a
    # question may have at most; they are learned in every step.
    flop, weights = 1e6 / 5e10, 2 * 1e6 / 3e9
    drawing = 64 * 96 * 2 * flop + 48 * weights
    seconds = draws * (drawing + again * 64 * 144 * 2 * flop) + 40 * 64 * 144 * 6 * flop
    assert one.seconds == pytest.approx(15 + weights + seconds)
    assert (one.threads, one.gpu, one.basis) == (1, 0, ESTIMATE)


def test_processes_share_the_outputs_but_each_reads_the_weights(
    project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = "studies.math.resources={training: {gpu: 2, threads: 2}}"
    processes = "studies.math.trainings.grpo.optimisation.processes=2"
    of = chain(project, resources, processes)
    flop, weights = 1e6 / 2e14, 2 * 1e6 / 1e12
    computing = 40 * 64 * (96 * 2 + 144 * 2 + 144 * 6) * flop
    seconds = 15 + weights / 2 + computing + 40 * 48 * weights
    job = training(of, "math", "grpo", 42)
    monkeypatch.setitem(ASSUMED, "GPU, seconds of a new token at least", 0.0)
    assert forecast_of(of, job).seconds == pytest.approx(seconds)
    # A small model's weights are read sooner than a GPU is told what to do.
    monkeypatch.setitem(ASSUMED, "GPU, seconds of a new token at least", 0.025)
    seconds += 40 * 48 * (0.025 - weights)
    assert forecast_of(of, job).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("recipe", "change", "draws", "rows", "learned"),
    [
        ("written-1", "weight=1.0", 13, 8 * 5, 0),
        ("set-1", "weight=1.0", 20, 6 * 4, 6),
        ("set-1", "max_examples=99", 20, 16 * 4, 6),  # a batch has no more than 16
    ],
)
def test_what_an_objective_draws_is_counted(
    project: Path, workdir: Path, recipe: str, change: str, draws: int, rows: int, learned: int
) -> None:
    of = chain(project, f"studies.replies.trainings.{recipe}.objective.{change}")
    with_it = forecast_of(of, training(of, "replies", recipe, 42)).seconds
    without = forecast_of(of, training(of, "replies", "sft", 42)).seconds
    assert with_it is not None and without is not None
    # 39 steps; answers of 24 tokens, all drawn together, and learned if the objective acts.
    drawing = rows * 800 * 2 * 1e6 / 5e10 + 24 * 2 * 1e6 / 3e9
    learning = rows * 824 * learned * 1e6 / 5e10
    assert with_it - without == pytest.approx(draws * (drawing + learning))


def test_a_training_that_draws_is_not_like_one_that_does_not(project: Path, workdir: Path) -> None:
    of = chain(project)
    for recipe, seconds in (("sft", 39), ("set-1", 390)):
        done = {"seconds": seconds, "steps": 39}
        write_json(Path(training(of, "replies", recipe, 42).out, "timing.json"), done)
    assert forecast_of(of, training(of, "replies", "sft", 123)).seconds == 39
    # Another weight costs nothing; other numbers of draws do.
    assert forecast_of(of, training(of, "replies", "set-2", 42)).seconds == 390
    assert forecast_of(of, training(of, "replies", "written-1", 42)).basis == ESTIMATE


def test_a_run_of_a_sweep_is_a_training_and_answers_on_dev(project: Path, workdir: Path) -> None:
    of = chain(project)
    job = of.job("sweep", study="math", sweep="warm-start", point="r4-lr0.002")
    flop, weights = 1e6 / 5e10, 2 * 1e6 / 3e9
    training = 128 * 800 * 6 * flop
    answers = 80 * 4 * (800 * 2 * flop + 48 * weights / 100)
    # Each loads the base.
    assert forecast_of(of, job).seconds == pytest.approx(15 + 2 * weights + training + answers)


def test_a_perplexity_reads_every_answer(project: Path, workdir: Path) -> None:
    address = {"study": "replies", "variant": "sft", "run": "seed-42", "split": "test"}
    of = chain(project)
    samples = 80 * 10 * (800 + 24) * 2 * 1e6 / 5e10
    seconds = forecast_of(of, of.job("scoring", **address)).seconds
    assert seconds == pytest.approx(15 + 2 * 1e6 / 3e9 + samples)
    of = chain(project, "studies.replies.draws.perplexity=false")
    assert forecast_of(of, of.job("scoring", **address)).seconds == 15


def test_what_a_server_is_waited_for_is_counted(project: Path, workdir: Path) -> None:
    of = chain(project, scale="paper")
    judged = "studies.math.trainings.grpo.reinforcement.judge=null"
    job, by_rule = (training(one, "math", "grpo", 42) for one in (of, chain(project, judged)))
    assert estimates.waiting(by_rule) == 0
    assert estimates.waiting(job) == 500 * 64 / 8 * 3  # 64 outputs a step, eight at a time
    search = of.job("prompts", study="speech", search="base-opro")
    assert estimates.waiting(search) == 20 * 3  # the eight of a step, at once
    # 360 transcripts, eight at a time; 120 more are rewritten and labelled one after the other.
    data = of.job("data", dataset="traits-llm")
    assert estimates.waiting(data) == (360 / 8 + 2 * 120) * 3
    one = forecast_of(of, data)
    assert (one.seconds, one.basis) == (15 + estimates.waiting(data), ESTIMATE)


def test_weights_are_fetched_before_they_are_used(project: Path, workdir: Path) -> None:
    of = chain(project, scale="paper")
    one = forecast_of(of, of.job("models", base="qwen3-omni-30b"))
    assert one.seconds == pytest.approx(15 + 30e9 * 2 / 5e7)


def test_tokens_are_counted_where_the_data_are_here(
    project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = chain(project, scale="paper")
    job = training(of, "qa", "qlora", 42)
    before = forecast_of(of, job).seconds
    task = SimpleNamespace(
        template=str,
        load_dataset=lambda data, split: ["x" * 30, "x" * 50],
        prompt=lambda item, template: Prompt(item, audio=(Path("a.wav"),) * (len(item) == 50)),
        completion=lambda item: "y" * 20,
    )
    monkeypatch.setattr(estimates, "get_benchmark", {"qa": task}.get)
    write_json(Path("data/qa/train.jsonl"), {})
    after = forecast_of(of, job).seconds
    assert before is not None and after is not None
    # 60 characters are 15 tokens, and every other item has a sound of 750: 390 in place of 800.
    assert before - after == pytest.approx(3 * 120 * (800 - 390) * 6 * 3e9 / 1e14)


def test_an_output_follows_the_question_alone(
    project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = chain(project)
    job = training(of, "math", "grpo", 42)
    before = forecast_of(of, job).seconds
    task = SimpleNamespace(
        template=str,
        load_dataset=lambda data, split: ["x" * 40],
        prompt=lambda item, template: Prompt(item),
        completion=lambda item: "y" * 2000,
    )
    monkeypatch.setattr(estimates, "get_benchmark", {"math": task}.get)
    write_json(Path("data/math/train.jsonl"), {})
    after = forecast_of(of, job).seconds
    assert before is not None and after is not None
    # 10 tokens are asked, in place of 96: when drawing, for the divergence, and when learning.
    assert before - after == pytest.approx(40 * 64 * 86 * (2 + 2 + 6) * 1e6 / 5e10)


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_no_study_keeps_from_its_jobs_the_gpu_of_the_scale(project: Path, scale: str) -> None:
    """Of all that loads a base model: trainings, answers, searches, sweeps, perplexities."""
    of = chain(project, scale=scale)
    asking = [job for job in of.jobs.values() if "base" in job.inputs]
    assert {job.stage for job in asking} >= {"training", "prediction", "sweep", "scoring"}
    assert not {job.out for job in asking if not of.resources_of(job).gpu}


def test_a_large_model_asks_for_more_than_its_study(project: Path, workdir: Path) -> None:
    of = chain(project, PRICES, scale="paper")
    asked = {"study": "speech", "run": "base", "split": "test"}
    large = forecast_of(of, of.job("prediction", variant="qwen3-omni", **asked))
    small = forecast_of(of, of.job("prediction", variant="base", **asked))
    assert (large.threads, small.threads) == (8, 4)


def test_a_target_is_what_snakemake_takes(project: Path) -> None:
    of = chain(project)
    everything = of.with_upstream(jobs_of(of, "paper"))
    speech = of.with_upstream(jobs_of(of, "speech"))
    assert {job.out for job in everything} >= {job.out for job in speech}
    assert {job.wildcards.get("study", "speech") for job in speech} == {"speech"}
    trained = of.with_upstream(jobs_of(of, "checkpoints"))
    assert {job.stage for job in trained} >= {"data", "models", "training"}
    assert not {job.stage for job in trained} & {"statistics", "tables", "paper"}
    file = training(of, "speech", "lora", 42).content_id
    assert jobs_of(of, file)[-1].content_id == file
    assert jobs_of(of, "training_speech")[-1].stage == "training"
    rules = (project / "rules" / "targets.smk").read_text() + "rule paper:"
    for target in re.findall(r"^ *rule (\w+):", rules, re.M):
        assert jobs_of(of, target), target
    with pytest.raises(InputError, match="did you mean 'tables'"):
        jobs_of(of, "tabels")


def test_a_fresh_job_runs_only_if_its_missing_files_are_read(
    project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = chain(project)
    asked = of.job("prediction", study="speech", variant="lora", run="seed-42", split="test")
    adapter = "results/embedded/speech/checkpoints/lora/seed-42"
    states = {adapter: NOT_HERE, "models/tiny-audio": NOT_HERE}

    def status(of: Chain, digests: Digests, jobs: list[Job]) -> list[State]:
        return [State(job.out, job.stage, states.get(job.out, FRESH)) for job in jobs]

    monkeypatch.setattr(targets, "status", status)
    assert would_run(of, [asked], Digests()) == {}
    states[asked.out] = NOT_HERE  # its files are what is asked for
    assert list(would_run(of, [asked], Digests())) == ["models/tiny-audio", adapter, asked.out]
    states[asked.out] = MISSING
    assert list(would_run(of, [asked], Digests())) == ["models/tiny-audio", adapter, asked.out]
    for name in of.jobs[adapter].outputs:  # what is read is here, the rest was not pulled
        Path(adapter).mkdir(parents=True, exist_ok=True)
        Path(adapter, name).touch()
    assert list(would_run(of, [asked], Digests())) == ["models/tiny-audio", asked.out]


def test_a_price_and_a_budget(project: Path, workdir: Path) -> None:
    of = chain(project, PRICES, scale="paper")
    job = training(of, "qa", "qlora", 42)
    write_json(Path(job.out, "timing.json"), {"seconds": 3600, "steps": estimates.work(job)})
    one = forecast_of(of, job)
    assert one.price == pytest.approx(2.0 + 4 * 0.1)
    assert over_budget([one], 2.5, of.config.prices) is None
    assert "cost 2.40 USD; 2.00 is the limit" in str(over_budget([one], 2.0, of.config.prices))
    assert "wants prices" in str(over_budget([one], 2.0, None))
    nothing = Forecast("results/x", "training", "", 1, 0, None, ESTIMATE, None)
    assert "results/x" in str(over_budget([one, nothing], 99.0, of.config.prices))


def test_the_command_fails_above_the_budget(project: Path, workdir: Path) -> None:
    for name in ("config.yaml", "config", "data/sources.txt", "paper"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).symlink_to(project / name)
    Path("prices.yaml").write_text("prices: {gpu_hour: 2.0}\n")
    command = [sys.executable, "-c", "from regen.cli import main; main()", "plan", "checkpoints"]
    command += ["--configfile", "config/paper.yaml", "--configfile", "prices.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "training" in done.stdout and "estimate: from the model's size" in done.stdout
    refused = subprocess.run([*command, "--budget", "0.5"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1 and "0.50 is the limit" in refused.stderr


def test_snakemake_does_not_start_above_the_budget(project: Path, workdir: Path) -> None:
    target = "results/paper/qa/checkpoints/qlora/seed-42"
    where = {"study": "qa", "training": "qlora", "seed": "42"}
    overlay = [project / "config.yaml", project / "config" / "paper.yaml"]
    for limit, refused in (("0.01", True), ("100", False)):
        pinned = f"models.qwen2-5-3b.revision={'a' * 40}"
        changes = [PRICES, f"prices.budget={limit}", "strict_environment=false", pinned]
        plan = Plan(read(overlay, changes), workflow(targets=(target,)))
        plan.check("training")(where)
        if refused:
            with pytest.raises(WorkflowError, match=r"0\.01 is the limit"):
                plan.start()
        else:
            plan.start()

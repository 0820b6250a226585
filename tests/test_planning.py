"""What Snakemake is told about a job's needs, here and on a cluster's nodes."""

import gc
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.common import FUNC_OVERWRITE_PARAMS_ATTR
from snakemake.exceptions import WorkflowError
from snakemake.resources import Resource
from snakemake.utils import update_config

from regen import gpus, warm
from regen.config import check, read
from regen.digests import Digests
from regen.files import sha256, write_json, write_text
from regen.planning import FORCED, Plan
from regen.provenance import CONTENT_ID, MANIFEST, Job, wanted


def workflow(main: bool = True, forced: bool = False, targets: tuple[str, ...] = ()) -> Any:
    """As much of Snakemake's as a plan looks at."""
    asked = SimpleNamespace(
        forceall=forced, forcerun=(), forcetargets=False, force_incomplete=False, targets=targets
    )
    return SimpleNamespace(
        is_main_process=main,
        nodes=None,
        local_exec=False,
        dag_settings=asked,
        configfiles=[],
        config_settings=SimpleNamespace(configfiles=[], config={}, replace_workflow_config=False),
        deployment_settings=SimpleNamespace(deployment_method=set()),
        scheduler=SimpleNamespace(job_rate_limiter=None),
    )


@pytest.fixture
def merged(project: Path, workdir: Path) -> dict[str, Any]:
    return read([project / "config.yaml"])


@pytest.mark.parametrize("scale", ["smoke", "small", "paper"])
def test_an_overlay_leaves_the_order_of_what_is_under_it(
    project: Path, workdir: Path, scale: str
) -> None:
    """Snakemake merges an overlay's keys first, and order counts: rows, trainings that go on."""
    files = [project / "config.yaml", project / "config" / f"{scale}.yaml"]
    merged: dict[str, Any] = {}
    for file in (files[1], *files):
        update_config(merged, read([file]))
    asked = workflow()
    asked.configfiles = [str(file) for file in reversed(files)]
    asked.config_settings.configfiles = [str(files[1])]
    found = Plan(merged, asked)
    expected = check(read(files)).model_dump_json()
    assert found.config.model_dump_json() == expected
    assert check(read([Path(found.configfile)])).model_dump_json() == expected


def test_only_memory_grows_with_the_attempts(merged: dict[str, Any]) -> None:
    plan = Plan(merged, workflow())
    asked = merged["studies"]["qa"]["resources"]["training"]
    address = {"study": "qa", "training": "qlora", "seed": "42"}
    for what, factors in (("mem_mb", (1, 2, 3)), ("threads", (1, 1, 1)), ("runtime", (1, 1, 1))):
        amount = plan.ask("training", what)
        # A number where no study asks for something else.
        found = [amount(address, attempt=n) if callable(amount) else amount for n in (1, 2, 3)]
        assert found == [asked[what] * factor for factor in factors]


def test_a_base_model_has_its_own_amounts_in_any_study(merged: dict[str, Any]) -> None:
    merged["model_resources"] = {"smollm2": {"prediction": {"gpu": 1, "mem_mb": 9000}}}
    plan = Plan(merged, workflow())
    asked = {"scale": "embedded", "study": "traits", "run": "base", "split": "test"}
    for variant, gpu in (("base", 1), ("base-nf4", 0)):  # base is of smollm2
        assert plan.ask("prediction", "gpu")(asked | {"variant": variant}, attempt=1) == gpu
    memory = plan.ask("prediction", "mem_mb")(asked | {"variant": "base"}, attempt=2)
    assert memory == 18000


def test_a_node_forces_what_was_forced_here(
    merged: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FORCED, "left over")
    # On a node Snakemake forces whatever it was sent there for.
    node = Plan(merged, workflow(main=False, forced=True))
    for forced in (True, False):
        here = Plan(merged, workflow(forced=forced)).force({})
        assert here == node.force({}) == ("--force" if forced else "")


def test_what_will_be_made_is_told_by_its_content_id(merged: dict[str, Any]) -> None:
    """Every file that Snakemake is told of costs it time, in a sweep thousands of times over."""
    told = workflow()
    told.dag_settings.targets = ["sweeps"]
    plan = Plan(merged, told)
    runs = plan.chain.of_stage("sweep")
    assert plan.files("sweep")({}) == [run.content_id for run in runs]
    for name, folder in (("data", "data/math"), ("base", "models/tiny-math")):
        assert plan.need("sweep", name)(runs[0].wildcards) == [f"{folder}/outputs.sha256"]


def test_garbage_is_collected_in_a_run_and_not_while_it_is_planned(merged: dict[str, Any]) -> None:
    """A large plan is nothing but objects that stay: looking them through took a quarter of it."""
    Plan(merged, workflow(main=False))
    assert gc.isenabled()
    plan = Plan(merged | {"strict_environment": False}, workflow(targets=("data",)))
    assert not gc.isenabled()
    plan.start()
    assert gc.isenabled() and gc.get_freeze_count() > 0


def test_snakemake_is_told_the_parameters_of_every_function(merged: dict[str, Any]) -> None:
    """It asks for them many times a job; working them out each time took a tenth of a plan."""
    plan = Plan(merged, workflow())
    asked = (plan.check("sweep"), plan.need("sweep", "data"), plan.ask("sweep", "mem_mb"))
    for function in (*asked, plan.files("sweep"), plan.force, Resource("mem_mb", 1).evaluate):
        assert hasattr(function, FUNC_OVERWRITE_PARAMS_ATTR)


def test_of_a_folder_that_is_not_here_every_file_is_told(merged: dict[str, Any]) -> None:
    """Its content id is here and right; only the files say that it must be made."""
    told = workflow()
    told.dag_settings.targets = ["data/math/card.json"]
    plan = Plan(merged, told)
    job = plan.chain.job("data", dataset="math")
    seal(job)
    assert set(job.files) <= set(plan.files("data")({}))
    forced = Plan(merged, workflow(forced=True))
    assert set(job.files) <= set(forced.files("data")({}))


def seal(job: Job) -> None:
    """A folder as `git clone` brings it: content id and manifest, no files."""
    out = Path(job.out)
    out.mkdir(parents=True)
    digest = "0" * 64
    write_text(out / CONTENT_ID, "".join(f"{digest}  {name}\n" for name in job.outputs))
    manifest = wanted(job, Digests()) | {"outputs": sha256(out / CONTENT_ID)}
    write_json(out / MANIFEST, manifest)


@pytest.mark.parametrize(("visible", "forked"), [(None, False), ("0", False), ("", True)])
def test_nothing_is_forked_where_a_job_could_see_a_gpu(
    merged: dict[str, Any], monkeypatch: pytest.MonkeyPatch, visible: str | None, forked: bool
) -> None:
    """Libraries that were imported may have opened CUDA, and then no fork can."""
    started = []
    monkeypatch.setattr(warm, "start", started.append)
    monkeypatch.setattr(gpus, "DEVICES", (Path("driver"),))
    Path("driver").touch()
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    here = workflow()
    here.local_exec = True
    Plan(merged, here).start()
    assert bool(started) == forked
    Path("driver").unlink()
    assert not gpus.may_be_here()


def test_the_slurm_profile_asks_for_what_the_configuration_says(
    project: Path, workdir: Path
) -> None:
    for name in ("config", "rules", "profiles", "paper"):
        shutil.copytree(project / name, name)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(project / name, name)
    Path("data").mkdir()
    shutil.copy(project / "data" / "sources.txt", "data")
    target = "results/paper/speech/checkpoints/lora/seed-42/outputs.sha256"
    # One core here says nothing about the nodes.
    done = subprocess.run(
        [Path(sys.executable).parent / "snakemake", "-n", "--cores", "1", target,
         "--profile", "profiles/slurm", "--configfile", "config/paper.yaml"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    blocks = done.stdout.split("\nrule ")
    training = next(block for block in blocks if "training=lora, seed=42" in block)
    asked = read([project / "config.yaml", project / "config" / "paper.yaml"])["resources"]
    assert f"threads: {asked['training']['threads']}\n" in training
    for what in ("mem_mb", "runtime", "gpu"):
        assert re.search(rf"\b{what}={asked['training'][what]}\b", training), what


@pytest.mark.parametrize("limit", [None, "3/1s"])
def test_the_scheduler_looks_once_for_each_job_that_ends(limit: str | None, workdir: Path) -> None:
    jobs = 12
    Path("Snakefile").write_text(
        "from regen.planning import look_only_when_a_job_ends\n"
        "onstart: look_only_when_a_job_ends(workflow)\n"
        f"rule all:\n    input: [f'{{n}}.txt' for n in range({jobs})]\n"
        "rule one:\n    output: '{n}.txt'\n    shell: 'sleep 0.3; touch {output}'\n"
    )
    snakemake = Path(sys.executable).parent / "snakemake"
    asked = ["--max-jobs-per-timespan", limit] if limit else []
    done = subprocess.run(
        [snakemake, "--verbose", "--cores", "1", *asked], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    looks = len(re.findall(r"^Ready jobs", done.stdout + done.stderr, re.M))
    # Who asks for a limit gets it, and the rounds with it.
    assert (looks <= jobs + 2) == (limit is None), looks


@pytest.mark.parametrize("revision", [None, "a" * 40])
def test_what_the_hub_may_change_is_refused_before_anything_runs(
    project: Path, workdir: Path, revision: str | None
) -> None:
    files = [project / "config.yaml", project / "config" / "paper.yaml"]
    changes = ["strict_environment=false", f"models.qwen2-5-3b.revision={revision or 'null'}"]
    target = "results/paper/qa/checkpoints/qlora/seed-42"
    plan = Plan(read(files, changes), workflow(targets=(target,)))
    if revision is None:
        with pytest.raises(WorkflowError, match=r"models\.qwen2-5-3b: revision is null.*regen pin"):
            plan.start()
    else:
        plan.start()

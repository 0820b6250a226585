"""DVC's side: `dvc.yaml`, written from the configuration, and what a run records in `dvc.lock`.

Snakemake is the only thing that runs work; DVC versions it. There is one DVC stage a study and
chain stage, whose command is one Snakemake target. What DVC compares is a superset of what makes a
folder stale (whole code files and configuration keys): it may ask Snakemake needlessly, which then
finds nothing to do, but it never takes a stale result for a fresh one.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from regen.chain import Chain
from regen.code import code_of, file_of, in_project
from regen.digests import Digests
from regen.image import is_file
from regen.provenance import CONTENT_ID, Job, why_stale

DVC_FILE = Path("dvc.yaml")
HEADER = "# Written by `regen dvc` from config.yaml; change that, not this.\n"

THIRD_PARTIES = {"sources", "data", "models", "training", "answers"}
SOON_DERIVED = {"statistics", "sets", "tables", "figures", "appendix", "paper"}
NOT_RECORDED = THIRD_PARTIES | SOON_DERIVED
"""Stages whose files do not go to a DVC remote: data and words of others, and weights; and what a
reader had better derive than believe, from the recorded answers, in seconds."""

IN_GIT = {
    ("prompts", "history.jsonl"),
    ("prompts", "prompt.json"),
    ("selection", "selection.json"),
    ("training", "log.jsonl"),
    ("training", "summary.json"),
}
"""Small files that later stages read although their folder is not recorded: they lie in git."""

STUDY_KEYS = {
    "training": ["benchmark", "dataset", "base", "items.train", "seeds", "trainings", "selections"],
    "sweep": [
        "benchmark",
        "dataset",
        "base",
        "encoder",
        "items",
        "trainings",
        "variants",
        "sweeps",
    ],
    "prompts": ["benchmark", "dataset", "base", "items", "seeds", "prompt_searches"],
    "prediction": ["benchmark", "dataset", "base", "items", "seeds", "variants", "selections"],
    "scoring": [
        "benchmark",
        "dataset",
        "base",
        "encoder",
        "items",
        "seeds",
        "variants",
        "selections",
        "draws",
    ],
    "agreement": ["seeds", "variants", "agreement"],
    "selection": ["seeds", "trainings", "selections"],
    "calibration": ["benchmark", "dataset", "seeds", "variants", "calibration"],
    "thresholds": ["dataset", "seeds", "variants", "thresholds"],
    "statistics": ["seeds", "variants", "comparisons", "facets"],
    "answers": ["benchmark", "dataset", "items.test", "seeds", "variants", "labels", "answers"],
    "sets": ["benchmark", "seeds", "variants", "trainings", "draws"],
    "tables": [
        "variants",
        "labels",
        "comparisons",
        "reference",
        "prompt_searches",
        "thresholds",
        "answers",
        "draws",
        "sweeps",
        "trainings",
        "spending",
    ],
    "figures": [
        "variants",
        "labels",
        "figures",
        "calibration",
        "selections",
        "prompt_searches",
        "draws",
    ],
}
"""Keys of a study in config.yaml that reach the parameters of a stage's jobs."""


def stage_name(job: Job) -> str:
    """The DVC stage that a job belongs to."""
    owner = next((job.wildcards[k] for k in ("study", "dataset", "base") if k in job.wildcards), "")
    return f"{job.part or job.stage}-{owner}" if owner else job.stage


def stages_of(chain: Chain) -> dict[str, list[Job]]:
    """{DVC stage: its jobs}, in the chain's order."""
    stages: dict[str, list[Job]] = {}
    for job in chain.jobs.values():
        stages.setdefault(stage_name(job), []).append(job)
    return stages


def dvc_yaml(chain: Chain) -> str:
    """The text of dvc.yaml for a configuration."""
    stages = {name: describe(name, jobs, chain) for name, jobs in stages_of(chain).items()}
    metrics = [f"{job.out}/metrics.json" for job in chain.of_stage("statistics")]
    content = {"stages": stages, "metrics": metrics}
    return HEADER + yaml.safe_dump(content, sort_keys=False, width=100)


def describe(name: str, jobs: list[Job], chain: Chain) -> dict[str, Any]:
    """One DVC stage: a Snakemake target, with what it reads and writes."""
    own = {job.out for job in jobs}
    inputs = {i.evidence for job in jobs for i in job.all_inputs() if i.folder not in own}
    modules = {m for job in jobs for m in code_of((job.function.partition(":")[0], *job.code))}
    files = [file for module in modules if (file := file_of(module))]
    code = {in_project(file) for file in files}
    outs: list[Any] = []
    for job in jobs:
        for output in (*job.outputs, *job.beside):
            how: dict[str, Any] = {"push": False} if job.stage in NOT_RECORDED else {}
            if (job.stage, output) in IN_GIT:
                how = {"cache": False}
            outs.append({f"{job.out}/{output}": {"persist": True, **how}})
        for output in (*job.measured, CONTENT_ID):
            outs.append({f"{job.out}/{output}": {"cache": False, "persist": True}})
    described: dict[str, Any] = {"cmd": f"snakemake {name.replace('-', '_')}"}
    images = {job.image for job in jobs if job.image}
    described["deps"] = sorted(inputs | code | set(filter(is_file, images)))
    keys = dict.fromkeys(key for job in jobs for key in keys_of(job, chain))
    keys |= dict.fromkeys(("container", "strict_environment") if images else ())
    described["params"] = [{"config.yaml": list(keys)}]
    described["outs"] = outs
    return described


def keys_of(job: Job, chain: Chain) -> list[str]:
    """The keys of config.yaml that a stage's jobs depend on."""
    address = job.wildcards
    if job.stage == "sources" and address["dataset"] in chain.config.models:
        return [f"models.{address['dataset']}"]
    if job.stage in ("sources", "data"):
        return [f"datasets.{address['dataset']}"]
    if job.stage == "models":
        return [f"models.{address['base']}"]
    if job.stage in ("simulation", "appendix"):
        return ["simulation"]
    if job.stage == "paper":
        return ["title", "scale", "stamp"]
    name = address["study"]
    given = chain.config.studies[name].model_fields_set  # DVC refuses keys that are not there
    keys = [key for key in STUDY_KEYS[job.stage] if key.partition(".")[0] in given]
    return [f"studies.{name}.{key}" for key in keys]


def record(chain: Chain, asked: Mapping[str, Job], digests: Digests) -> list[str]:
    """After a run: commit to dvc.lock the stages that are here and fresh all the way down.

    (A blind `dvc commit` after a partial run locks stale results under the new configuration.) Of
    what they rest on the content ids are enough, which is what DVC compares.
    Returns their names. Does nothing where there is no DVC repository, and inside `dvc repro`,
    which records for itself.
    """
    if os.environ.get("DVC_STAGE") or not Path(".dvc").is_dir():
        return []
    if DVC_FILE.read_text(encoding="utf-8") != dvc_yaml(chain):
        return []  # another scale, or a configuration for which dvc.yaml was not written yet
    fresh: dict[str, bool] = {}

    def is_fresh(job: Job) -> bool:
        if job.out not in fresh:
            own = why_stale(job, digests) is None
            fresh[job.out] = own and all(is_fresh(up) for up in chain.upstream(job))
        return fresh[job.out]

    def is_here(job: Job) -> bool:
        return is_fresh(job) and all(Path(file).exists() for file in job.files)

    names = {stage_name(job) for job in asked.values()}
    stages = stages_of(chain).items()
    return commit({name for name, jobs in stages if name in names and all(map(is_here, jobs))})


def commit(names: set[str]) -> list[str]:
    """`dvc commit --force` of those of the named stages that changed, in one pass.

    (On the command line DVC reads all of dvc.yaml and dvc.lock, and writes the latter, once for
    every stage that is named; a paper has some eighty.)
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        with Repo() as repo, repo.lock:
            changed = [s for s in repo.index.stages if s.name in names and s.status()]
            for stage in changed:
                stage.save()
                stage.commit()
            if changed:
                changed[0].dvcfile.dump_stages(changed, update_pipeline=False)
    except DvcException as error:
        print(f"dvc.lock: not brought up to date ({error}); dvc commit will", file=sys.stderr)
        return []
    return [stage.name for stage in changed]

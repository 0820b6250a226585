"""regen: from data to the paper. `snakemake -n` says what is stale; `snakemake` makes the paper."""

from regen.chain.results import TABLES
from regen.planning import Plan


configfile: "config.yaml"


plan = Plan(config, workflow)


container: plan.config.container


wildcard_constraints:
    scale=plan.config.scale,
    dataset="[^/]+",
    base="[^/]+",
    study="|".join(plan.config.studies),
    training="[^/]+",
    seed="[^/]+",
    variant="[^/]+",
    selection="[^/]+",
    search="[^/]+",
    sweep="[^/]+",
    point="[^/]+",
    run="[^/]+",
    figure="[^/]+",
    split="train|dev|test",


rule paper:
    input:
        plan.files("paper"),


include: "rules/targets.smk"
include: "rules/data.smk"
include: "rules/models.smk"
include: "rules/training.smk"
include: "rules/prompts.smk"
include: "rules/prediction.smk"
include: "rules/agreement.smk"
include: "rules/scoring.smk"
include: "rules/selection.smk"
include: "rules/sweeps.smk"
include: "rules/calibration.smk"
include: "rules/statistics.smk"
include: "rules/answers.smk"
include: "rules/sets.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/across.smk"
include: "rules/paper.smk"


onstart:
    plan.start()


onsuccess:
    plan.finish()


onerror:
    plan.finish()

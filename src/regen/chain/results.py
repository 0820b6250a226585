"""Jobs from a study's scores to the paper: statistics, tables, figures, the PDF."""

from dataclasses import asdict
from typing import Any

from regen.chain.across import ENDINGS
from regen.chain.study import Home, benchmark_module, metrics_of, runs_of
from regen.chain.sweeps import outcomes, tried
from regen.described import described, holds
from regen.provenance import Input, Job
from regen.schema import Config
from regen.schema.prompts import Found
from regen.schema.results import Answers, Draws, Figure, Label
from regen.schema.study import Study

TABLES = (
    "comparison",
    "tests",
    "per-seed",
    "grid",
    "adapters",
    "cost",
    "agreement",
    "speed",
    "calibration",
    "confidence",
    "thresholds",
    "traits",
    "common",
    "validity",
    "explanations",
    "rubric",
    "prompts",
    "kinds",
    "wins",
    "ranking",
    "abstention",
    "measures",
    "behaviour",
    "diversity",
    "quality",
    "passing",
    "changes",
    "objectives",
    "sweeps",
    "spending",
)
"""The tables of a study; one that has no rows in a study is left out of its text."""


def statistics_job(home: Home, scores: tuple[Input, ...]) -> Job:
    return Job(
        stage="statistics",
        out=f"{home.folder}/statistics",
        function="regen.statistics.stage:statistics",
        wildcards={"study": home.name},
        inputs={"scores": scores},
        params={
            "variants": {name: {} for name, row in home.study.variants.items() if row.table},
            "ranges": {name: one.range for name, one in metrics_of(home.study).items()},
            "comparisons": [c.model_dump() for c in home.study.comparisons],
            "facets": home.study.facets,
            "common": home.study.common,
        },
        outputs=(
            "variants.json",
            "comparisons.json",
            "facets.json",
            "common.json",
            "failures.json",
            "metrics.json",
        ),
    )


def answers_job(home: Home, wanted: Answers, scores: tuple[Input, ...]) -> Job:
    named = labels(home.study)
    return Job(
        stage="answers",
        out=f"{home.folder}/answers",
        function="regen.answers:answers",
        wildcards={"study": home.name},
        inputs={"scores": scores, "data": Input(None, f"data/{home.study.dataset}")},
        params={
            **wanted.model_dump(exclude={"facet"}),
            "study": home.name,
            "benchmark": home.study.benchmark,
            "split": "test",
            "limit": home.study.items.test,
            "variants": {name: label["spoken"] for name, label in named.items()},
        },
        outputs=("answers.json", *(f"cases.{ending}" for ending in ENDINGS)),
        code=(benchmark_module(home.study.benchmark),),
    )


def sets_job(home: Home, wanted: Draws, scores: tuple[Input, ...]) -> Job:
    described = metrics(home.study)
    return Job(
        stage="sets",
        out=f"{home.folder}/sets",
        function="regen.sets:sets",
        wildcards={"study": home.name},
        inputs={
            "scores": scores,
            "dev": Input("items.jsonl", f"{home.folder}/scores/{wanted.bar}/base/dev"),
            "checkpoints": summaries(home),
        },
        params={
            "variants": wanted.changes,
            "most": wanted.most,
            "against": wanted.against,
            "metrics": {name: described[name] for name in wanted.metrics},
            "outcomes": {name: one.model_dump() for name, one in wanted.outcomes.items()},
            "plain": home.study.variants[wanted.against].training,
        },
        outputs=("sets.json",),
    )


def sets_of(home: Home) -> tuple[Input, ...]:
    return tuple(
        Input("sets.json", f"{home.folder}/sets")
        for _ in ([home.study.draws] if home.study.draws else ())
    )


def summaries(home: Home) -> tuple[Input, ...]:
    return tuple(
        Input("summary.json", f"{home.folder}/checkpoints/{training}/seed-{seed}")
        for training in home.study.trainings
        for seed in home.study.seeds
    )


def tables_job(home: Home) -> Job:
    axes = home.study.thresholds.axes if home.study.thresholds else {}
    return Job(
        stage="tables",
        out=f"{home.folder}/tables",
        function="regen.tables.study:tables",
        wildcards={"study": home.name},
        inputs={
            "statistics": Input(None, f"{home.folder}/statistics"),
            "selections": tuple(
                Input("selection.json", f"{home.folder}/selection/{name}")
                for name in home.study.selections
            ),
            "agreements": tuple(
                Input(None, f"{home.folder}/agreement/{name}") for _, name in home.study.agreement
            ),
            "calibrations": calibrations(home),
            "thresholds": tuple(
                Input("thresholds.json", f"{home.folder}/thresholds")
                for _ in ([home.study.thresholds] if home.study.thresholds else ())
            ),
            "searches": tuple(
                Input("prompt.json", f"{home.folder}/prompts/{name}")
                for name in home.study.prompt_searches
            ),
            "answers": tuple(
                Input("answers.json", f"{home.folder}/answers")
                for _ in ([home.study.answers] if home.study.answers else ())
            ),
            "sets": sets_of(home),
            "sweeps": outcomes(home),
            "checkpoints": summaries(home),
        },
        params={
            "study": home.name,
            "variants": labels(home.study),
            "metrics": metrics(home.study),
            "comparisons": [c.model_dump() for c in home.study.comparisons],
            "reference": home.study.reference,
            "agreement": home.study.agreement,
            "tried": tried(home.study),
            "called": {
                "searches": searched(home.study),
                "trainings": trained(home.study),
                "axes": {name: axis.label for name, axis in axes.items()},
            },
            "broken_down": home.study.answers.facet if home.study.answers else None,
            **({"spending": spending(home.study)} if home.study.spending else {}),
        },
        outputs=tuple(f"{table}.{ending}" for table in TABLES for ending in ENDINGS),
    )


def spending(study: Study) -> dict[str, Any]:
    """The price, and what of each variant was run."""
    assert study.spending is not None
    asked = {name: row for name, row in study.variants.items() if row.table and not row.trivial}
    return {
        **study.spending.model_dump(),
        "runs": {
            name: {"training": row.training or "", "runs": runs_of(study, row)}
            for name, row in asked.items()
        },
    }


def figure_job(home: Home, figure: Figure) -> Job:
    drawn: dict[str, Any] = {"variants": labels(home.study), "metrics": metrics(home.study)}
    inputs: dict[str, Input | tuple[Input, ...]]
    if figure.kind == "facet":
        function = "regen.figures.facets:facets"
        inputs = {"statistics": Input(None, f"{home.folder}/statistics")}
    elif figure.kind == "grid":
        function = "regen.figures.grid:grid"
        folder = f"{home.folder}/selection/{figure.selection}"
        inputs = {"selection": Input("selection.json", folder)}
        del drawn["variants"]
    elif figure.kind == "search":
        function = "regen.figures.search:search"
        folders = [f"{home.folder}/prompts/{name}" for name in home.study.prompt_searches]
        inputs = {
            "histories": tuple(Input("history.jsonl", folder) for folder in folders),
            "found": tuple(Input("prompt.json", folder) for folder in folders),
        }
        drawn = {"metrics": metrics(home.study), "spoken": searched(home.study)}
    elif figure.kind == "passing":
        function = "regen.figures.passing:passing"
        inputs = {"sets": sets_of(home)}
        del drawn["metrics"]
    elif figure.kind == "rewards":
        function = "regen.figures.rewards:rewards"
        folders = [
            home.checkpoint(str(figure.training), f"seed-{seed}") for seed in home.study.seeds
        ]
        inputs = {"logs": tuple(Input("log.jsonl", folder) for folder in folders)}
        drawn = {}
    elif figure.kind == "pareto":
        function = "regen.figures.pareto:pareto"
        inputs = {"statistics": Input(None, f"{home.folder}/statistics")}
    else:
        function = "regen.figures.reliability:reliability"
        inputs = {"calibrations": calibrations(home)}
        del drawn["metrics"]
    return Job(
        stage="figures",
        out=f"{home.folder}/figures/{figure.name}",
        function=function,
        wildcards={"study": home.name, "figure": figure.name},
        inputs=inputs,
        params={**drawn, "figure": figure.model_dump()},
        outputs=tuple(f"{figure.name}.{ending}" for ending in ("json", "pdf", "png")),
    )


def searched(study: Study) -> dict[str, str]:
    """What each search is called: as the variant that is asked what it found."""
    spoken = {name: row["spoken"] for name, row in labels(study).items()}
    asked = {
        variant.prompt.search: spoken[name]
        for name, variant in study.variants.items()
        if isinstance(variant.prompt, Found) and name in spoken
    }
    return {name: asked.get(name, name) for name in study.prompt_searches}


def trained(study: Study) -> dict[str, str]:
    """What each recipe is called: as the first variant that answers with it, after all its epochs
    rather than some; else by its label."""
    own = {name: spoken_label(one) for name, one in study.labels.items() if name in study.trainings}
    spoken = {name: row["spoken"] for name, row in labels(study).items()}
    variants = sorted(reversed(study.variants.items()), key=lambda one: one[1].epoch is None)
    using = {row.training: spoken[name] for name, row in variants if name in spoken}
    return {name: using.get(name, own.get(name, name)) for name in study.trainings}


def calibrations(home: Home) -> tuple[Input, ...]:
    asked = home.study.calibration.variants if home.study.calibration else ()
    return tuple(Input("calibration.json", f"{home.folder}/calibration/{name}") for name in asked)


def paper_job(config: Config, results: str) -> Job:
    studies = list(config.studies)
    sections = tuple(Input(f"paper/sections/{study}.tex") for study in studies)

    def of(stage: str) -> tuple[Input, ...]:
        folders = [f"{results}/{study}/{stage}" for study in studies]
        return tuple(Input(None, folder) for folder in folders)

    figures = tuple(
        Input(None, f"{results}/{study}/figures/{figure.name}")
        for study in studies
        for figure in config.studies[study].figures
    )

    selections = tuple(
        Input("selection.json", f"{results}/{study}/selection/{selection}")
        for study in studies
        for selection in config.studies[study].selections
    )
    searches = tuple(
        Input("prompt.json", f"{results}/{study}/prompts/{search}")
        for study in studies
        for search in config.studies[study].prompt_searches
    )
    return Job(
        stage="paper",
        out=f"{results}/paper",
        function="regen.paper:paper",
        inputs={
            "main": Input("paper/main.tex"),
            "abstracts": tuple(Input(f"paper/abstracts/{study}.tex") for study in studies),
            "sections": sections,
            "tables": of("tables"),
            "figures": figures,
            "statistics": of("statistics"),
            "selections": selections,
            "searches": searches,
            "answers": tuple(
                Input(None, f"{results}/{study}/answers")
                for study in studies
                if config.studies[study].answers
            ),
            "sets": tuple(
                Input("sets.json", f"{results}/{study}/sets")
                for study in studies
                if config.studies[study].draws
            ),
            "appendix": Input("paper/appendix.tex"),
            "appendix_tables": Input(None, f"{results}/across/tables"),
            "simulation": Input("simulation.json", f"{results}/across/simulation"),
        },
        params={
            "studies": studies,
            "title": config.title,
            "scale": config.scale,
            "stamp": config.stamp,
            "spoken": {
                name: {variant: row["spoken"] for variant, row in labels(study).items()}
                for name, study in config.studies.items()
            },
            "described": described(config),
            "holds": holds(config),
            "metrics": {name: metrics(study) for name, study in config.studies.items()},
            "outcomes": {
                name: {key: one.model_dump() for key, one in study.draws.outcomes.items()}
                for name, study in config.studies.items()
                if study.draws
            },
        },
        outputs=("main.pdf", "numbers.tex", "numbers.json"),
    )


def labels(study: Study) -> dict[str, dict[str, Any]]:
    """What tables, figures and sentences print of each variant in them."""
    spoken = {name: spoken_label(label) for name, label in study.labels.items()}
    alike = [name for name, words in spoken.items() if list(spoken.values()).count(words) > 1]
    for name in alike:
        spoken[name] = f"{study.labels[name].model} ({spoken[name]})"
    return {
        name: {
            **study.labels[name].model_dump(),
            "spoken": spoken[name],
            "trivial": variant.trivial is not None,
        }
        for name, variant in study.variants.items()
        if variant.table
    }


def spoken_label(label: Label) -> str:
    """What tells a variant apart in a sentence: "LoRA + MLP", "LoRA with OPRO", or the model."""
    words = label.model if label.method == "none" else label.method
    return words if label.prompt in ("none", "baseline") else f"{words} with {label.prompt}"


def metrics(study: Study) -> dict[str, dict[str, Any]]:
    """How each metric of the study's benchmark is printed."""
    return {name: asdict(metric) for name, metric in metrics_of(study).items()}

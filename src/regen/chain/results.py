"""Jobs from a study's scores to the paper: statistics, tables, figures, the PDF."""

from dataclasses import asdict
from typing import Any

from regen.chain.across import ENDINGS
from regen.chain.study import Home, metrics_of
from regen.provenance import Input, Job
from regen.schema import Config
from regen.schema.study import Figure, Label, Study

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
            "comparisons": [c.model_dump() for c in home.study.comparisons],
            "facets": home.study.facets,
        },
        outputs=("variants.json", "comparisons.json", "facets.json", "metrics.json"),
    )


def tables_job(home: Home) -> Job:
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
            "checkpoints": tuple(
                Input("summary.json", f"{home.folder}/checkpoints/{training}/seed-{seed}")
                for training in home.study.trainings
                for seed in home.study.seeds
            ),
        },
        params={
            "study": home.name,
            "variants": labels(home.study),
            "metrics": metrics(home.study),
            "comparisons": [c.model_dump() for c in home.study.comparisons],
            "reference": home.study.reference,
            "agreement": home.study.agreement,
        },
        outputs=tuple(f"{table}.{ending}" for table in TABLES for ending in ENDINGS),
    )


def figure_job(home: Home, figure: Figure) -> Job:
    drawn = {"variants": labels(home.study), "metrics": metrics(home.study)}
    inputs: dict[str, Input | tuple[Input, ...]]
    if figure.kind == "facet":
        function = "regen.figures.facets:facets"
        inputs = {"statistics": Input(None, f"{home.folder}/statistics")}
    elif figure.kind == "grid":
        function = "regen.figures.grid:grid"
        folder = f"{home.folder}/selection/{figure.selection}"
        inputs = {"selection": Input("selection.json", folder)}
        del drawn["variants"]
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
            "metrics": {name: metrics(study) for name, study in config.studies.items()},
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

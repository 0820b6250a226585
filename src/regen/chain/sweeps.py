"""Jobs of a study's sweeps: one a point, which trains, asks and scores."""

from collections.abc import Iterator

from regen.chain.study import Home, prediction_job, scoring_job, training_job
from regen.provenance import Input, Job
from regen.schema.study import Study


def sweep_jobs(home: Home, sweep: str) -> Iterator[Job]:
    """A job at each point. It is one, not three, so that a run that fails stops no other job."""
    wanted = home.study.sweeps[sweep]
    row = home.study.variants[wanted.variant]
    run = f"seed-{wanted.seed}"
    for point, recipe in home.study.runs(sweep).items():
        trained = training_job(home, point, recipe, wanted.seed)
        asked = prediction_job(home, point, row, run, "dev")
        scored = scoring_job(home, point, run, "dev")
        inputs = {"base": trained.inputs["base"], "data": trained.inputs["data"]}
        if "encoder" in scored.inputs:
            inputs["encoder"] = scored.inputs["encoder"]
        yield Job(
            stage="sweep",
            out=folder_of(home, sweep, point),
            function="regen.sweep:attempt",
            wildcards={"study": home.name, "sweep": sweep, "point": point},
            inputs=inputs,
            params={
                "function": trained.function,
                "training": trained.params,
                "prediction": asked.params,
                # The sets of draws have a bar of their own, which a sweep does not choose.
                "scoring": {key: one for key, one in scored.params.items() if key != "draws"},
                "metric": wanted.metric,
            },
            outputs=("outcome.json", "log.jsonl", "items.jsonl"),
            code=(trained.function.partition(":")[0], *trained.code),
        )


def tried(study: Study) -> dict[str, dict[str, float]]:
    """{"<sweep>/<point>": {r, learning_rate}}"""
    return {
        f"{sweep}/{point}": {"r": one.lora.r, "learning_rate": one.optimisation.learning_rate}
        for sweep in study.sweeps
        for point, one in study.runs(sweep).items()
    }


def outcomes(home: Home) -> tuple[Input, ...]:
    """What every point of every sweep of the study gave."""
    return tuple(
        Input("outcome.json", folder_of(home, sweep, point))
        for sweep in home.study.sweeps
        for point in home.study.runs(sweep)
    )


def folder_of(home: Home, sweep: str, point: str) -> str:
    return f"{home.folder}/sweeps/{sweep}/{point}"

"""Jobs that span the studies: how well the tests do, and the appendix on it."""

from regen.provenance import Input, Job
from regen.schema import Config

TABLES = ("type-i-error", "tests-to-avoid", "mcnemar", "coverage", "audit")
ENDINGS = ("tex", "md", "csv", "json")


def simulation_job(config: Config, results: str) -> Job:
    return Job(
        stage="simulation",
        out=f"{results}/across/simulation",
        function="regen.statistics.simulation:simulation",
        params={"grid": config.simulation.model_dump()},
        outputs=("simulation.json",),
    )


def appendix_job(results: str) -> Job:
    return Job(
        stage="appendix",
        out=f"{results}/across/tables",
        function="regen.tables.appendix:appendix",
        inputs={
            "simulation": Input("simulation.json", f"{results}/across/simulation"),
            "reported": Input("paper/reported.yaml"),
        },
        outputs=(
            "findings.json",
            *(f"{table}.{ending}" for table in TABLES for ending in ENDINGS),
        ),
    )

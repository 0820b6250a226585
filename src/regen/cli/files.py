"""Commands on prediction files and reported figures, of this product or of others."""

from pathlib import Path
from typing import Annotated

import typer

from regen.benchmarks.registry import get_benchmark
from regen.cli.app import app
from regen.files import dumps, write_json


def _known(benchmark: str | None) -> str | None:
    if benchmark is not None:
        get_benchmark(benchmark)
    return benchmark


Metric = Annotated[
    str | None, typer.Option(help="Which metric, if the files hold several.", show_default=False)
]

Benchmark = Annotated[
    str | None,
    typer.Option(
        help="Of which one the answers of prediction records are that have no manifest beside "
        "them; it must score answers by their equality with the target.",
        show_default=False,
        callback=_known,
    ),
]


@app.command()
def compare(
    model_a: Annotated[list[Path], typer.Option(help="Prediction file; one option a seed.")],
    model_b: Annotated[list[Path], typer.Option(help="The other side's, likewise.")],
    name_a: Annotated[str, typer.Option(help="Printed for the first side.")] = "A",
    name_b: Annotated[str, typer.Option(help="Printed for the second side.")] = "B",
    metric: Metric = None,
    benchmark: Benchmark = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV with columns item and group: what items share.")
    ] = None,
    paired_seeds: Annotated[
        bool, typer.Option("--paired-seeds", help="The sides' seeds belong together, in order.")
    ] = False,
    intersect: Annotated[
        bool, typer.Option("--intersect", help="Compare on the items that both sides have.")
    ] = False,
    test: Annotated[
        str,
        typer.Option(
            help="Of one run against one: McNemar's test as exact, mid-p, asymptotic, or "
            "'asymptotic, corrected'."
        ),
    ] = "auto",
    json: Annotated[Path | None, typer.Option(help="Also write the result to this file.")] = None,
) -> None:
    """Test one system against another on the same items, with the right test for the seeds.

    Reads our prediction files, JSON with `predictions` and `ground_truth`, lm-eval's samples, CSV.
    """
    from regen.statistics.compare import as_json, compare_files, render

    found = compare_files(
        model_a,
        model_b,
        name_a=name_a,
        name_b=name_b,
        metric=metric,
        benchmark=benchmark,
        groups=groups,
        paired_seeds=paired_seeds,
        intersect=intersect,
        test=test,
    )
    typer.echo(render(found))
    if json:
        write_json(json, as_json(found))


@app.command()
def summarize(
    files: Annotated[list[Path], typer.Argument(help="Prediction files, one a seed.")],
    name: Annotated[str, typer.Option(help="Printed for the model.")] = "model",
    metric: Metric = None,
    benchmark: Benchmark = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Summarise a model over its seeds: mean, SD, interval, range, and each class."""
    from regen.statistics.summarize import as_json, render, summarize_files

    found = summarize_files(files, name=name, metric=metric, benchmark=benchmark)
    typer.echo(dumps(as_json(found)) if json else render(found))


@app.command()
def audit(
    reported: Annotated[Path, typer.Argument(help="YAML of reported figures.")] = Path(
        "paper/reported.yaml"
    ),
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say which reported figures agree with each other, and which cannot be."""
    from regen.statistics.audit import audit_file, render

    findings = audit_file(reported)
    typer.echo(dumps(findings) if json else render(findings))

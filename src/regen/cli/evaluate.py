"""Asking any model any benchmark, outside the workflow."""

from pathlib import Path
from typing import Annotated

import typer

from regen.benchmarks.registry import list_benchmarks, register_file
from regen.cli.app import SplitName, app
from regen.errors import InputError
from regen.files import dumps, write_json


@app.command()
def evaluate(
    benchmark: Annotated[
        list[str], typer.Option("--benchmark", help="One or more, by name; may be repeated.")
    ] = [],  # noqa: B006 - typer copies it
    model: Annotated[Path | None, typer.Option(help="Folder of a base model.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of an adapter that was trained on it.")
    ] = None,
    benchmark_file: Annotated[
        list[Path], typer.Option(help="A Python file with benchmarks of your own.")
    ] = [],  # noqa: B006
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set; data/<benchmark> if left out.")
    ] = None,
    split: SplitName = "test",
    num_samples: Annotated[int | None, typer.Option(min=1, help="The first so many.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 256,
    temperature: Annotated[float, typer.Option(min=0, help="0 is greedy.")] = 0.0,
    output: Annotated[
        Path | None, typer.Option(help="Write metrics and every sample there, as JSON.")
    ] = None,
) -> None:
    """Evaluate a model on benchmarks, without the workflow; no table reads what it writes.

    Without --benchmark it lists those there are. With --output every sample is kept.
    """
    for file in benchmark_file:
        register_file(file)
    if not benchmark:
        typer.echo("\n".join(list_benchmarks()))
        return
    if model is None:
        raise InputError("Missing option '--model': the folder of a base model")
    if data is not None and len(benchmark) > 1:
        raise InputError("--data: is for one --benchmark; leave it out, or ask one at a time")
    from regen.evaluation import evaluate_all
    from regen.models.packed import load_packed
    from regen.models.protocol import Decoding

    folders = {benchmark[0]: data} if data is not None else {}
    results = evaluate_all(
        load_packed(model, checkpoint),
        benchmark,
        num_samples,
        split,
        data=folders,
        decoding=Decoding(max_new_tokens=max_new_tokens, temperature=temperature),
    )
    found = {name: result.to_dict() for name, result in results.items()}
    typer.echo(dumps({name: result["metrics"] for name, result in found.items()}))
    if output is not None:
        write_json(output, found)

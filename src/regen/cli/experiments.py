"""`regen experiments`: look at what was run, compare it, test it, make it again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from regen.cli.app import app
from regen.errors import InputError
from regen.files import Absent, dumps

experiments = typer.Typer(
    no_args_is_help=True,
    help="""What was run here: searched, compared, tested, made again.

    ID is an experiment's id or the beginning of it, or of what stands after its time.
    """,
)
app.add_typer(experiments, name="experiments")

Db = Annotated[
    Path, typer.Option("--db", help="The index; the event files are in the folder beside it.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An experiment.")]
Benchmark = Annotated[str, typer.Option("--benchmark", help="Such as speech/test.")]
Metric = Annotated[str, typer.Option("--metric", help="A metric of the benchmark.")]
SmallestFirst = Annotated[
    bool | None,
    typer.Option(
        "--smallest-first/--largest-first",
        help="Which value is the best; the benchmark or the metric's name says if left out.",
        show_default=False,
    ),
]
DATABASE = Path("experiments.db")
ID_WIDTH = len("exp_20260101_000000_00000000")
PIPE_WIDTH = 400


@experiments.command("list")
def list_experiments(
    limit: Annotated[int, typer.Option(min=1, help="Only so many, the newest.")] = 20,
    status: Annotated[
        str | None, typer.Option(help="running, completed, failed, interrupted or died.")
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted.")] = False,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """List experiments, the newest first."""
    from regen.tracking.local import LocalBackend

    found = LocalBackend(db).get_all_experiments(status=status, limit=limit, deleted=deleted)
    rows = [[one["id"], one["name"], one["status"], _place(one), one["started"], _best(one)]
            for one in found]  # fmt: skip
    _show(found, json, ["id", "name", "status", "scale", "started (UTC)", "scores"], rows)


@experiments.command()
def leaderboard(
    benchmark: Benchmark,
    metric: Metric = "accuracy",
    top: Annotated[int, typer.Option(min=1, help="Only so many.")] = 10,
    smallest_first: SmallestFirst = None,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Rank experiments by their latest score on a benchmark."""
    from regen.tracking.compare import generate_leaderboard

    board = generate_leaderboard(benchmark, metric, top, smallest_first=smallest_first, db_path=db)
    rows = [[r["rank"], r["id"], r["name"], _cell(r["value"]), r["samples"], _place(r)]
            for r in board]  # fmt: skip
    _show(board, json, ["rank", "id", "name", metric, "samples", "scale"], rows)


@experiments.command()
def best(
    benchmark: Benchmark,
    metric: Metric = "accuracy",
    smallest_first: SmallestFirst = None,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Show the best experiment on a benchmark, with its configuration."""
    from regen.tracking.compare import generate_leaderboard

    board = generate_leaderboard(benchmark, metric, 1, smallest_first=smallest_first, db_path=db)
    show(board[0]["id"], db, json)


@experiments.command()
def show(name: Id, db: Db = DATABASE, json: Json = False) -> None:
    """Show everything of an experiment but its curves and samples."""
    from regen.tracking.config import flat
    from regen.tracking.local import LocalBackend

    one = LocalBackend(db).get_experiment(name)
    if json:
        typer.echo(dumps(one))
        return
    hidden = ("config", "captured", "job", "metrics", "scores", "checkpoints", "outputs")
    rows = [[key, _cell(value)] for key, value in one.items() if key not in hidden and value]
    rows += [[f"config {key}", _cell(value)] for key, value in flat(one["config"]).items()]
    shown = {key: value for key, value in one["captured"].items() if key != "environment"}
    rows += [[f"captured {key}", _cell(value)] for key, value in flat(shown).items()]
    rows += [[f"score {key}", _cell(value)] for key, value in flat(one["scores"]).items()]
    rows += [
        [f"metric {key}", f"last {_cell(m['last'])}, least {_cell(m['low'])}, greatest "
         f"{_cell(m['high'])}, {m['n']} rows"]
        for key, m in one["metrics"].items()
    ]  # fmt: skip
    rows += [[f"checkpoint {c['step'] or ''}".strip(), c["path"]] for c in one["checkpoints"]]
    _show(one, False, ["", ""], rows)


@experiments.command()
def compare(
    names: Annotated[list[str], typer.Argument(metavar="ID ID [ID]...")],
    metric: Annotated[
        str | None, typer.Option(help="What decides, such as speech/test/accuracy.")
    ] = None,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Set experiments side by side: what differs, the best of each row, the winner."""
    from regen.tracking.compare import compare_experiments, winner_text

    found = compare_experiments(names, metric, db_path=db)
    if json:
        typer.echo(dumps(found))
        return
    rows = [["name", *(one["name"] for one in found["experiments"])]]
    rows += [[key, *map(_cell, values)] for key, values in found["parameters"].items()]
    rows += [
        [key, *(_cell(v) + (" *" if i in row["best"] else "") for i, v in enumerate(row["values"]))]
        for key, row in found["metrics"].items()
    ]
    _show(found, False, ["", *(one["id"] for one in found["experiments"])], rows)
    typer.echo(f"{found['same_parameters']} parameters are the same\n{winner_text(found)}")


@experiments.command()
def significance(
    a: Id,
    b: Id,
    benchmark: Benchmark,
    metric: Annotated[str | None, typer.Option(help="Of the samples, if several.")] = None,
    method: Annotated[
        str, typer.Option(help="bootstrap, or paired: the test that fits the scores.")
    ] = "bootstrap",
    n_bootstrap: Annotated[int, typer.Option(min=100, help="Resamples, where it draws.")] = 10_000,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Test two experiments on the samples that both answered."""
    from regen.tracking.significance import compute_significance

    found = compute_significance(a, b, benchmark, metric, method, n_bootstrap, db_path=db)
    rows = [[key, _cell(value)] for key, value in vars(found).items()]
    _show(vars(found), json, ["", ""], rows)


@experiments.command("sweep-impact")
def impact(
    metric: Metric,
    benchmark: Annotated[
        str | None, typer.Option(help="Its score; left out: the last value of a curve.")
    ] = None,
    name: Annotated[str, typer.Option(help="Only experiments whose name begins so.")] = "",
    address: Annotated[str, typer.Option(help="Only jobs whose folder begins so.")] = "",
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Correlate hyper-parameters that vary with a metric (Spearman, 95% interval)."""
    from regen.tracking.impact import sweep_impact

    found = sweep_impact(metric, benchmark, name=name, address=address, db_path=db)
    rows = [
        [r["parameter"], _cell(r["rho"]), _interval(r["low"], r["high"]), _cell(r["p"]),
         r["n"], r["values"], ", ".join(f"{k}: {_cell(v)}" for k, v in r.get("means", {}).items())]
        for r in found
    ]  # fmt: skip
    _show(found, json, ["parameter", "rho", "95% CI", "p", "n", "values", "mean by value"], rows)


@experiments.command()
def stats(db: Db = DATABASE, json: Json = False) -> None:
    """Count what there is."""
    from regen.tracking.local import LocalBackend

    found = LocalBackend(db).statistics()
    _show(found, json, ["", ""], [[key.replace("_", " "), _cell(v)] for key, v in found.items()])


@experiments.command()
def export(
    name: Id,
    output: Annotated[Path, typer.Option(help="The file to write.")],
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Write everything of an experiment to one file, which `import` reads elsewhere."""
    from regen.tracking.local import LocalBackend

    found = LocalBackend(db).export(name, output)
    _say(found, json, f"wrote {output}: {found['events']} events of {found['id']}")


@experiments.command("import")
def import_file(file: Path, db: Db = DATABASE, json: Json = False) -> None:
    """Take in an experiment that `export` wrote."""
    from regen.tracking.local import LocalBackend

    found = LocalBackend(db).import_file(file)
    _say({"id": found}, json, f"imported {found}")


@experiments.command()
def delete(
    names: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False)] = [],  # noqa: B006
    status: Annotated[
        str | None, typer.Option(help="All with this status, such as failed.")
    ] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Really.")] = False,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Delete experiments, until `gc` reversibly; never anything in results/.

    All failed ones: regen experiments delete --status failed --confirm
    """
    from regen.tracking.local import LocalBackend

    backend = LocalBackend(db)
    if bool(names) == (status is not None):
        raise InputError("name experiments, or all of a status: --status failed")
    chosen = [backend.resolve(name) for name in names]
    if status is not None:
        chosen = [one["id"] for one in backend.get_all_experiments(status=status)]
    if not confirm:
        raise InputError(f"this would delete {len(chosen)}: {', '.join(chosen[:5])}; add --confirm")
    found = backend.delete(chosen)
    said = f"deleted {len(found)}; back with: regen experiments undelete ID, gone with: gc"
    _say({"deleted": found}, json, said)


@experiments.command()
def undelete(
    names: Annotated[list[str], typer.Argument(metavar="ID...")],
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Bring deleted experiments back."""
    from regen.tracking.local import LocalBackend

    found = LocalBackend(db).undelete(names)
    _say({"undeleted": found}, json, f"brought back {len(found)}")


@experiments.command()
def gc(db: Db = DATABASE, json: Json = False) -> None:
    """Remove deleted experiments for good."""
    from regen.tracking.local import LocalBackend

    found = LocalBackend(db).gc()
    _say(found, json, f"removed {found['experiments']} experiments, {found['bytes']} bytes")


@experiments.command()
def reproduce(
    name: Id,
    output: Annotated[
        Path | None, typer.Option(help="Where to; in results/scratch if out.")
    ] = None,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Run an experiment again with the same configuration, and say if the result is the same.

    Ends with status 1 if it is not.
    """
    from regen.tracking.again import reproduce as again

    found = again(name, out=output, db_path=db)
    verdict = "the same" if found["same"] else f"not the same: {', '.join(found['differences'])}"
    notes = "".join(f"\nnote: {note}" for note in found["notes"])
    said = f"{found['id']}: {verdict} ({found['compared']}; made again as {found['again']}){notes}"
    _say(found, json, said)
    if not found["same"]:
        raise typer.Exit(1)


@experiments.command("export-html")
def export_html(
    file: Path,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Without ids: so many of the newest.")] = 20,
    db: Db = DATABASE,
    json: Json = False,
) -> None:
    """Write leaderboards, a comparison and curves as one page that needs no network."""
    from regen.tracking.page import export_html as write

    found = write(file, names or (), limit=limit, db_path=db)
    _say(found, json, f"wrote {file}: {found['experiments']} experiments, {found['curves']} curves")


def _show(found: Any, json: bool, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """As JSON, or as a table that a pipe gets in full width."""
    if json:
        typer.echo(dumps(found))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_header=any(heads))
    for head in heads:
        table.add_column(head, overflow="fold", min_width=ID_WIDTH if head == "id" else None)
    for row in rows:
        table.add_row(*(Text(str("" if cell is None else cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    console.print(table)


def _say(found: Mapping[str, Any], json: bool, said: str) -> None:
    typer.echo(dumps(found) if json else said)


def _cell(value: Any) -> str:
    if isinstance(value, Absent):
        return str(value)
    if isinstance(value, float):
        return f"{value:.5g}"
    return value if isinstance(value, str) else dumps(value, indent=None)


def _interval(low: Any, high: Any) -> str:
    return _cell(low) if isinstance(low, Absent) else f"[{_cell(low)}, {_cell(high)}]"


def _place(one: Mapping[str, Any]) -> str:
    return f"{one['scale'] or ''}{', scratch' if one['scratch'] else ''}"


def _best(one: Mapping[str, Any]) -> str:
    """The first score of each benchmark."""
    return ", ".join(
        f"{benchmark} {metric} {_cell(value)}"
        for benchmark, scores in one["scores"].items()
        for metric, value in list(scores.items())[:1]
    )

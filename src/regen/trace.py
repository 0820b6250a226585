"""From a cell of a table, or a number of the text, down to the items and the raw data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regen.chain import Chain
from regen.digests import Digests
from regen.errors import InputError, nearest
from regen.files import read_json, read_jsonl
from regen.provenance import CONTENT_ID, Job
from regen.status import status
from regen.tables.read import follow


@dataclass(frozen=True)
class Value:
    """One number behind a cell: the file and JSON pointer where it stands."""

    file: str
    pointer: str
    value: Any


@dataclass(frozen=True)
class Link:
    """A folder of the chain: its content id and whether it is still what would be made."""

    folder: str
    stage: str
    content_id: str
    state: str
    reason: str
    seed: int | None = None
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What one item contributed: its metrics by run."""

    item: str
    group: str
    target: str
    answers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """Everything that a number rests on, from the table down."""

    what: str
    text: str
    values: tuple[Value, ...]
    links: tuple[Link, ...]
    items: tuple[Answer, ...]
    rebuild: tuple[str, ...]
    """commands that compute the number again from the models' answers on"""


def trace_cell(chain: Chain, table: str, row: str, column: str, digests: Digests) -> Trace:
    """The chain below a cell. `table` is "<study>/<table>", such as speech/comparison."""
    study, _, name = table.partition("/")
    across = study == "across"
    jobs = [chain.job("appendix") if across else chain.job("tables", study=study)]
    jobs += chain.of_stage("answers", study)
    known = {Path(o).stem: job for job in jobs for o in job.outputs if o.endswith(".tex")}
    if name not in known:
        raise InputError(f"{study} has no table {name!r}{nearest(name, known)}")
    job = known[name]
    file = f"{job.out}/{name}.json"
    if not Path(file).exists():
        raise InputError(f"{file}: is not there; make it: snakemake {file}")
    content = read_json(Path(file))
    columns = [c["name"] for c in content["columns"]]
    rows = {r["name"]: r["cells"] for r in content["rows"]}
    if row not in rows:
        raise InputError(f"table {table} has no row {row!r}{nearest(row, rows)}")
    if column not in columns:
        raise InputError(f"table {table} has no column {column!r}{nearest(column, columns)}")
    cell = rows[row][columns.index(column)]
    what = f"{table}, {row}, {column}"
    return _trace(chain, job, what, cell["text"], cell["sources"], digests, study)


def trace_number(chain: Chain, key: str, digests: Digests) -> Trace:
    """The chain below a number of the text, such as speech/lora/accuracy/mean."""
    job = chain.job("paper")
    file = Path(job.out, "numbers.json")
    if not file.exists():
        raise InputError(f"{file}: is not there; make it: snakemake {file}")
    numbers = read_json(file)
    if key not in numbers:
        raise InputError(f"the paper has no number {key!r}{nearest(key, numbers)}")
    number = numbers[key]
    return _trace(chain, job, key, number["text"], number["sources"], digests, key.split("/")[0])


def _trace(
    chain: Chain,
    job: Job,
    what: str,
    text: str,
    sources: list[dict[str, str]],
    digests: Digests,
    study: str,
) -> Trace:
    if not sources:
        raise InputError(f"{what}: {text!r} is a word of the configuration, not a number")
    home = f"{chain.results}/{study}"
    values = []
    made: dict[str, Job] = {}
    behind: dict[str, Job] = {}
    for source in sources:
        found = chain.jobs[f"{home}/{source['input']}"]
        made[found.out] = found
        file = Path(found.out, source["file"])
        value = follow(read_json(file), source["pointer"])
        values.append(Value(str(file), source["pointer"], value))
        behind |= {one.out: one for one in jobs_behind(chain, found, values[-1])}
    made.pop(job.out, None)  # the table itself holds the number
    path = [job, *made.values(), *reversed(chain.with_upstream(behind.values()))]
    states = {s.folder: s for s in status(chain, digests)}
    links = []
    for one in path:
        state = states[one.out]
        links.append(
            Link(
                folder=one.out,
                stage=one.stage,
                content_id=_content_id(one, digests),
                state=state.state,
                reason=state.reason,
                seed=one.params.get("seed"),
                inputs=tuple(i.path for i in one.all_inputs()),
            )
        )
    scores = [one for one in behind.values() if one.stage == "scoring"]
    asked = {up.out: up for one in scores for up in chain.upstream(one)} | behind
    again = [one.content_id for one in asked.values() if one.stage == "prediction"]
    again = sorted(again or [one.content_id for one in made.values()])
    commands = [f"snakemake --force {' '.join(again)}"] if again else []
    commands.append(f"snakemake {job.out}/{CONTENT_ID}")
    return Trace(what, text, tuple(values), tuple(links), _items(scores), tuple(commands))


def jobs_behind(chain: Chain, made: Job, value: Value) -> list[Job]:
    """The jobs that a number was computed from: the scores of its variants, or all that it read."""
    upstream = chain.upstream(made)
    if made.stage != "statistics":
        return upstream
    variants = variants_behind(value)
    return [job for job in upstream if job.wildcards["variant"] in variants]


def variants_behind(value: Value) -> set[str]:
    """The variants whose answers a statistic was computed from, by where it stands."""
    steps = value.pointer.split("/")[1:]
    document = read_json(Path(value.file))
    if isinstance(document, list):  # comparisons.json
        one = document[int(steps[0])]
        return {one["a"], one["b"]}
    if Path(value.file).name == "common.json":  # every one of them decides which items count
        return set(document[steps[0]]["variants"])
    return {steps[0]}


def _content_id(job: Job, digests: Digests) -> str:
    try:
        return digests.of(job.content_id)[:12]
    except OSError:
        return "never made"


def _items(scores: list[Job]) -> tuple[Answer, ...]:
    """The items' answers, a column a run; empty where the scores were not pulled."""
    answers: dict[str, Answer] = {}
    for job in scores:
        path = Path(job.out, "items.jsonl")
        if not path.exists():
            continue
        run = f"{job.wildcards['variant']} {job.wildcards['run']}"
        for row in read_jsonl(path):
            known = answers.setdefault(
                row["item"], Answer(row["item"], row["group"], str(row.get("target", "")))
            )
            known.answers[run] = str(row.get("prediction", row.get("error", "")))
    return tuple(answers.values())


def render(trace: Trace, items: int, options: str) -> str:
    """For a reader: the cell, its values, the chain, the first `items` items, how to rebuild it.

    `options` are added to the commands.
    """
    lines = [f"{trace.what}: {trace.text}", "", "read from"]
    lines += [f"  {v.file}#{v.pointer} = {v.value}" for v in trace.values]
    lines += ["", "made from (content id, state, folder), the latest first"]
    for link in trace.links:
        note = f"  ({link.reason})" if link.reason else ""
        lines.append(f"  {link.content_id:<12} {link.state:<15} {link.folder}{note}")
    runs = list(trace.items[0].answers) if trace.items else []
    shown = trace.items[:items]
    lines += ["", f"{len(trace.items)} items in {len(runs)} runs" + (":" if shown else "")]
    for one in shown:
        said = ", ".join(f"{run}: {answer}" for run, answer in one.answers.items())
        lines.append(f"  {one.item} ({one.target}) {said}")
    if len(trace.items) > len(shown):
        lines.append(f"  and {len(trace.items) - len(shown)} more (--items N)")
    lines += ["", "computed again from the models' answers on"]
    return "\n".join([*lines, *(f"  {command}{options}" for command in trace.rebuild)])

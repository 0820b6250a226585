"""Revisions of the hub's models and data sets: the commits that the hub has now, written into the
configuration.

Only the revisions change in a file; comments, order and every other byte stay as they are.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from regen.errors import InputError
from regen.files import write_bytes
from regen.provenance import Job
from regen.schema import Config
from regen.schema.datasets import HubFiles, OwnData
from regen.schema.models import HubModel

SECONDS = 20
"""that the hub may take to answer"""

Place = tuple[str, ...]
"""Keys that lead to what has an id and a revision: models, name; or datasets, name, hub."""


def pin(config: Config, files: list[Path], update: bool = False) -> dict[str, tuple[Path, str]]:
    """Write the newest commit of what comes from the hub into the file that gives its revision.

    `files` are what `config` was read from, in order; the last that gives a revision holds. What
    is pinned stays as it is unless `update`. Returns {"models.name" or the like: (file, revision)}
    of what changed. Nothing is written unless the hub knows all of it: else raises InputError.
    """
    wanted = {
        place: one for place, one in of_the_hub(config).items() if one.revision is None or update
    }
    homes = {place: _file_of(place, files) for place in wanted}
    asked = {(kind_of(place), one.id) for place, one in wanted.items()}
    commits = {key: commit_of(*key) for key in sorted(asked)}
    newest = {place: commits[kind_of(place), one.id] for place, one in wanted.items()}
    changes = {place: new for place, new in newest.items() if new != wanted[place].revision}
    texts = {}
    for file in sorted({homes[place] for place in changes}):
        of_file = {place: commit for place, commit in changes.items() if homes[place] == file}
        texts[file] = with_revisions(_text(file), of_file)
        if problem := _differs(_text(file), texts[file], of_file):
            raise InputError(f"{file}: {problem}; nothing was written")
    for file, text in texts.items():
        write_bytes(file, text.encode("utf-8"))
    return {".".join(place): (homes[place], commit) for place, commit in changes.items()}


def check_revisions(jobs: Iterable[Job]) -> None:
    """Raise InputError for a job that would take something from the hub at no revision."""
    for job in jobs:
        if job.function == "regen.models.hub:hub" and job.params["revision"] is None:
            place = f"models.{job.wildcards['base']}"
        elif (job.params.get("hub") or {"revision": ""})["revision"] is None:
            place = f"datasets.{job.wildcards['dataset']}.hub"
        else:
            continue
        raise InputError(
            f"{place}: revision is null, and what is not pinned is not run; "
            "set it to a commit, or let `regen pin` find the newest"
        )


def of_the_hub(config: Config) -> dict[Place, HubModel | HubFiles]:
    """Everything that a configuration takes from the hub."""
    found: dict[Place, HubModel | HubFiles] = {}
    for name, model in config.models.items():
        if isinstance(model, HubModel):
            found["models", name] = model
    for name, data in config.datasets.items():
        if isinstance(data, OwnData) and data.hub is not None:
            found["datasets", name, "hub"] = data.hub
    return found


def kind_of(place: Place) -> str:
    """As the hub calls it."""
    return {"models": "model", "datasets": "dataset"}[place[0]]


def commit_of(kind: str, id: str) -> str:
    """The newest commit of a model or dataset that can be had. Raises InputError, in one line."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    hub = HfApi()
    try:
        found = hub.repo_info(id, repo_type=kind, timeout=SECONDS)
        if found.gated:
            hub.auth_check(id, repo_type=kind)
    except GatedRepoError:
        page = f"{hub.endpoint}/{'datasets/' if kind == 'dataset' else ''}{id}"
        raise InputError(
            f"{id}: is gated, and you have no access to it; accept its conditions at {page} "
            "and set HF_TOKEN to your token; nothing was written"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{id}: {hub.endpoint} has no such {kind}, or shows it to its owners alone; mend `id`, "
            "or set HF_TOKEN to a token that may read it; nothing was written"
        ) from None
    except Exception as error:  # of its HTTP client, whichever that is
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(
            f"{id}: {hub.endpoint} does not say its commit ({reason}); run regen pin where the hub "
            "can be reached, or set HF_ENDPOINT; nothing was written"
        ) from None
    if not found.sha:
        raise InputError(f"{id}: {hub.endpoint} names no commit of it; nothing was written")
    return found.sha


def with_revisions(text: str, revisions: Mapping[Place, str]) -> str:
    """A configuration file's text with the revision at each of these places set."""
    nodes = {place: _revision(text, place) for place in revisions}
    spans = {
        (node.start_mark.index, node.end_mark.index): revisions[place]
        for place, node in nodes.items()
        if node is not None
    }
    for (start, end), commit in sorted(spans.items(), reverse=True):
        # Quoted, as a commit may be all digits; a value that was left out has no space before it.
        space = " " if text[start - 1] == ":" else ""
        text = f'{text[:start]}{space}"{commit}"{text[end:]}'
    return text


def _revision(text: str, place: Place) -> yaml.Node | None:
    """The value of the revision at a place in a YAML text, if it gives one."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in (*place, "revision"):
        entries: Iterable[tuple[yaml.Node, yaml.Node]] = getattr(node, "value", None) or ()
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for known, value in entries if known.value == key), None)
    return node


def _differs(before: str, after: str, revisions: Mapping[Place, str]) -> str:
    """Why the new text says something else than the old one with these revisions; "" if not."""
    shared = "two entries share a part through an anchor (&, *); write out each"
    try:
        wanted, found = yaml.safe_load(before), yaml.safe_load(after)
    except yaml.YAMLError:
        return shared
    for place, commit in revisions.items():
        entry = wanted
        for key in place[:-1]:
            entry[key] = dict(entry[key])
            entry = entry[key]
        entry[place[-1]] = {**entry[place[-1]], "revision": commit}
    return "" if wanted == found else shared


def _file_of(place: Place, files: list[Path]) -> Path:
    """The last of the files that gives a revision."""
    for file in reversed(files):
        if _revision(_text(file), place) is not None:
            return file
    raise InputError(
        f"{'.'.join(place)}: no file gives its revision by itself; write `revision: null` there"
    )


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8")

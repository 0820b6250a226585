"""Stage `data` for data of your own: rows of CSV, JSON lines or Parquet files, with audio or not.

Each row is what the benchmark reads: a column has the benchmark's name for it, or `columns` says
which one it is. A row without an `item` is named after its file and number; one without a `group`
is a group by itself. The files lie in the project, or at a pinned revision on the hub.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regen.benchmarks.base import Item
from regen.benchmarks.registry import get_benchmark
from regen.data.audio import RATE, decode, write_clip
from regen.data.card import check_groups_apart
from regen.errors import InputError
from regen.files import sha256, write_json, write_jsonl
from regen.rows import read_item, rows_of

SPLITS = ("test", "dev", "train")

Read = tuple[Item, dict[str, Any]]
"""What the benchmark reads, and the row that it reads it from."""


def own(
    *,
    files: list[Path] | list[str],
    splits: list[str],
    benchmark: str,
    columns: dict[str, str],
    values: dict[str, dict[str, str]],
    defaults: dict[str, Any],
    seed: int,
    sizes: dict[str, int],
    out: Path,
    audio: Path | None = None,
    hub: dict[str, Any] | None = None,
) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl, card.json and, of audio, clips/ to `out`.

    files: the rows, .csv, .jsonl or .parquet; in the hub's data set if `hub` {id, revision} is
        given; splits: the split that each file is. What has none is cut from train's, by groups.
    columns: {the benchmark's name: the file's}; values: {column: {as it stands: as it is read}};
    defaults: {column: value} of rows that lack it
    audio: the folder in which the column `audio` names files, in any common format; they become
        WAV at 16 kHz, one channel, and `seconds` is their length where no column says so
    seed: of each split's order, and of what is cut; sizes: items by split
    Raises InputError, naming file and line, for what the benchmark cannot read, an item that comes
    twice, a group in two splits, and too few items.
    """
    task = get_benchmark(benchmark)
    paths = [Path(name) if hub is None else fetched(str(name), **hub) for name in files]
    found: dict[str, list[Read]] = {}
    places: dict[str, str] = {}
    for file, path, split in zip(files, paths, splits, strict=True):
        found[split] = []
        for number, (place, given) in enumerate(rows_of(path)):
            where = f"{file}: {place}"
            row = as_read(given, columns, values, defaults, where)
            row.setdefault("item", f"{path.stem}-{number:05d}")
            row.setdefault("group", row["item"])
            if audio is not None:
                row |= _with_clip(row, audio, f"clips/{split}-{number:05d}.wav", out, where)
            one = read_item(task, row, out, where)
            if one[0].item in places:
                raise InputError(
                    f"{where}: item {one[0].item!r} stands in {places[one[0].item]} already; "
                    "leave one of them out"
                )
            places[one[0].item] = where
            found[split].append(one)
    _groups_apart(found)  # before some of them are left out
    divided = divide(found, sizes, np.random.default_rng(seed))
    for split, some in divided.items():
        write_jsonl(out / f"{split}.jsonl", [row for _, row in some])
    write_json(
        out / "card.json",
        {
            "name": out.name,
            "what": f"rows of one's own, as benchmark {benchmark} reads them",
            "seed": seed,
            "sources": [
                {
                    "file": str(file),
                    "split": split,
                    "rows": len(found[split]),
                    "sha256": sha256(path),
                }
                for file, path, split in zip(files, paths, splits, strict=True)
            ],
            "hub": hub,
            "renamed": columns,
            "replaced": values,
            "filled_in": defaults,
            "splits": {split: {"rows": len(some)} for split, some in divided.items()},
            "groups_apart": _groups_apart(divided),
        },
    )


def fetched(name: str, *, id: str, revision: str | None) -> Path:
    """A file of a data set of the hub, in the local cache.

    Raises InputError without a revision, and for a file that cannot be had.
    """
    if revision is None:
        raise InputError(
            f"the data set {id} has no revision; set it to the commit that is meant, or run "
            "regen pin: unpinned data are not used"
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(id, name, repo_type="dataset", revision=revision))
    except (OSError, HfHubHTTPError, HFValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{id}@{revision[:12]}: {name} is not in the cache and cannot be fetched ({reason}); "
            "fetch it where the hub can be reached, or set HF_HOME to a cache that has it"
        ) from None


def as_read(
    row: Mapping[str, Any],
    columns: Mapping[str, str],
    values: Mapping[str, Mapping[str, str]],
    defaults: Mapping[str, Any],
    where: str,
) -> dict[str, Any]:
    """A row under the benchmark's names for its columns, with its values."""
    if lacking := [theirs for theirs in columns.values() if theirs not in row]:
        there = ", ".join(map(str, row))
        raise InputError(f"{where}: there is no column {lacking[0]!r}; there are: {there}")
    ours = {theirs: name for name, theirs in columns.items()}
    read = dict(defaults) | {ours.get(name, name): value for name, value in row.items()}
    for column, known in values.items():
        if str(read.get(column)) not in known:
            raise InputError(
                f"{where}: {column} is {read.get(column)!r}, and values.{column} knows "
                f"{', '.join(known)}; add it"
            )
        read[column] = known[str(read[column])]
    return read


def divide(
    found: Mapping[str, Sequence[Read]], sizes: Mapping[str, int], rng: np.random.Generator
) -> dict[str, list[Read]]:
    """Each split's items in random order; a split without rows gets whole groups of train's."""
    mixed = {
        split: [found[split][n] for n in rng.permutation(len(found[split]))]
        for split in SPLITS
        if split in found
    }
    groups: dict[str, list[Read]] = {}
    for one in mixed["train"]:
        groups.setdefault(one[0].group, []).append(one)
    divided: dict[str, list[Read]] = {}
    for split in SPLITS:
        if split not in mixed:
            some: list[Read] = []
            while groups and len(some) < sizes[split]:
                some += groups.pop(next(iter(groups)))
        else:
            some = mixed[split]
        if split == "train":
            some = [one for one in some if one[0].group in groups]
        if len(some) < sizes[split]:
            raise InputError(
                f"{sizes[split]} items are asked for in {split}, and there are {len(some)}; "
                f"lower sizes.{split} or add rows"
            )
        divided[split] = some[: sizes[split]]
    return divided


def _groups_apart(found: Mapping[str, Sequence[Read]]) -> dict[str, int]:
    return check_groups_apart(
        {split: [{"group": item.group} for item, _ in some] for split, some in found.items()}
    )


def _with_clip(
    row: Mapping[str, Any], audio: Path, name: str, out: Path, where: str
) -> dict[str, Any]:
    """What changes of a row whose clip is written to `out`."""
    path = audio / str(row.get("audio", ""))
    if not path.is_file() or not path.resolve().is_relative_to(audio.resolve()):
        raise InputError(f"{where}: there is no file {path}; correct the column audio")
    try:
        samples = decode(path.read_bytes(), str(path))
    except InputError as error:
        reason = str(error).partition(";")[0]
        raise InputError(f"{where}: {reason}; replace it, or leave the row out") from None
    write_clip(out / name, samples)
    return {"audio": name, "seconds": row.get("seconds", round(len(samples) / RATE, 3))}

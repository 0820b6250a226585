"""A sweep of 10,000 runs: seconds and memory of `snakemake -n`, ours beside plain Snakemake's.

    python speed/sweep.py [--jobs 10000] [--json FILE]

Ours: the smoke scale's word problems, with learning rates x ranks x seeds for so many runs; nothing
is trained. The peer is Snakemake by itself: one rule of as many jobs and as many files a job, whose
names are plain. Both are planned in this machine's memory from nothing made yet.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from regen.files import write_json, write_text

PROJECT = Path(__file__).resolve().parent.parent
RATES, RANKS = 25, 40
PLAIN = """
names, files = range({jobs}), list("abcde")
rule all:
    input: expand("out/{{n}}/a", n=names)
rule one:
    input: "base.txt", "data.txt", "here.txt"
    output: expand("out/{{{{n}}}}/{{file}}", file=files)
    log: "logs/{{n}}.log"
    benchmark: "benchmarks/{{n}}.tsv"
    resources: mem_mb=lambda wildcards, attempt: attempt * 1000
    shell: "touch {{output}}"
"""
PROBE = """
import json, resource, subprocess, sys, time
begun = time.monotonic()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
total = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("total ")]
if done.returncode or not total:
    sys.exit((done.stdout + done.stderr)[-2000:])
print(json.dumps({
    "seconds": time.monotonic() - begun,
    "cpu_seconds": used.ru_utime + used.ru_stime,
    "peak_mib": used.ru_maxrss / 1024,
    "jobs": int(total[0]),
}))
"""
"""In a process of its own, whose only child Snakemake is."""


def overlay(jobs: int) -> dict[str, Any]:
    """Sweeps of up to RATES x RANKS runs, one a seed. `jobs` is a multiple of RANKS."""
    sweeps = {}
    for seed, start in enumerate(range(0, jobs, RATES * RANKS)):
        rates = min(RATES, (jobs - start) // RANKS)
        sweeps["warm-start" if seed == 0 else f"seed-{seed}"] = {
            "variant": "sft",
            "learning_rate": [round(1e-4 * (n + 1), 6) for n in range(rates)],
            "r": list(range(1, RANKS + 1)),
            "seed": seed,
            "metric": "format_accuracy",
        }
    return {"scale": "sweep", "studies": {"math": {"sweeps": sweeps}}}


def plan(folder: Path, *arguments: str) -> dict[str, Any]:
    """Of one `snakemake -n`: seconds, peak MiB, jobs."""
    command = [sys.executable, "-c", PROBE, "snakemake", *arguments, "-n", "--quiet", "rules"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help=f"a multiple of {RANKS}")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    if arguments.jobs % RANKS or arguments.jobs < 2 * RANKS:
        parser.error(f"--jobs: take a multiple of {RANKS}")

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_text(folder / "sweep.yaml", json.dumps(overlay(arguments.jobs)))
        write_text(folder / "Snakefile", PLAIN.format(jobs=arguments.jobs))
        for file in ("base.txt", "data.txt", "here.txt"):
            write_text(folder / file, "")
        figures["Snakemake alone"] = plan(folder)
        files = ["config/smoke.yaml", str(folder / "sweep.yaml")]
        for target in ("sweeps", "paper"):
            figures[f"regen, {target}"] = plan(PROJECT, target, "--configfile", *files)
    for what, found in figures.items():
        print(
            f"{what:<16} {found['jobs']:>6} jobs {found['seconds']:6.1f} s "
            f"({found['cpu_seconds']:.1f} s of a core) {found['peak_mib']:6.0f} MiB"
        )
    if arguments.json:
        write_json(arguments.json, figures)


if __name__ == "__main__":
    main()

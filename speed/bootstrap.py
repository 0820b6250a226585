"""10,000 bootstrap resamples of 1,319 items x 5 seeds: ours against scipy and deepsig, as ratios.

    OMP_NUM_THREADS=1 python speed/bootstrap.py [--json FILE]

The figure is the mean difference of two methods, each item's scores averaged over the seeds first.
deepsig (`pip install deepsig`) is left out if it is not installed; its bootstrap test gives a
p-value, not an interval, from as many resamples of the same two lists of scores.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from scipy import stats

from regen.files import Absent, write_json
from regen.statistics.bootstrap import bootstrap_mean, resampled_means

ITEMS, SEEDS, RESAMPLES = 1319, 5, 10_000


def best_of(function: Callable[[], object], times: int) -> float:
    """The least seconds of so many calls, after one that warms up."""
    function()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    a = (rng.random((SEEDS, ITEMS)) < 0.62).mean(0)
    b = (rng.random((SEEDS, ITEMS)) < 0.60).mean(0)
    d = a - b

    def scipy_interval(method: str) -> Any:
        return stats.bootstrap((d,), np.mean, n_resamples=RESAMPLES, method=method, rng=rng)

    def drawn() -> object:
        means = resampled_means(d, np.ones(ITEMS), RESAMPLES, rng)
        return np.quantile(means, [0.025, 0.975])

    seconds: dict[str, float | Absent] = {
        "exact, percentile": best_of(lambda: bootstrap_mean(d, method="percentile"), 30),
        "exact, BCa": best_of(lambda: bootstrap_mean(d, method="BCa"), 30),
        "multinomial, percentile": best_of(drawn, 10),
        "scipy, percentile": best_of(lambda: scipy_interval("percentile"), 5),
        "scipy, BCa": best_of(lambda: scipy_interval("BCa"), 5),
        "deepsig, test": Absent("deepsig is not installed"),
    }
    try:
        from deepsig import bootstrap_test
    except ImportError:
        pass
    else:
        seconds["deepsig, test"] = best_of(lambda: bootstrap_test(a, b, num_samples=RESAMPLES), 1)

    ratios = {}
    for ours, theirs in (
        ("exact, percentile", "scipy, percentile"),
        ("exact, BCa", "scipy, BCa"),
        ("multinomial, percentile", "scipy, percentile"),
        ("exact, percentile", "deepsig, test"),
        ("multinomial, percentile", "deepsig, test"),
    ):
        slow, fast = seconds[theirs], seconds[ours]
        name = f"{theirs} / {ours}"
        ratios[name] = slow if isinstance(slow, Absent) else slow / fast

    limits = {
        method: {
            "ours": [vars(bootstrap_mean(d, method=method))[end] for end in ("low", "high")],
            "scipy": list(scipy_interval(method).confidence_interval),
        }
        for method in ("percentile", "BCa")
    }
    found = {
        "items": ITEMS,
        "seeds": SEEDS,
        "resamples": RESAMPLES,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "seconds": seconds,
        "ratios": ratios,
        "limits": limits,
    }
    for name, value in seconds.items():
        shown = value if isinstance(value, Absent) else f"{1000 * value:.2f} ms"
        print(f"{name:<28}{shown}")
    for name, ratio in ratios.items():
        print(f"{name:<46}{ratio if isinstance(ratio, Absent) else f'{ratio:.0f}x'}")
    for method, both in limits.items():
        print(f"{method}: ours {np.round(both['ours'], 5)}, scipy {np.round(both['scipy'], 5)}")
    if arguments.json:
        write_json(arguments.json, found)


if __name__ == "__main__":
    main()

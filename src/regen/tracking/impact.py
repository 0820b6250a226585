"""Which hyper-parameters of a sweep go with a metric."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

from regen.errors import InputError, nearest
from regen.files import Absent
from regen.tracking.config import flat
from regen.tracking.local import DATABASE, LocalBackend

FEWEST = 4
"""Experiments below which Spearman's interval has no meaning (its standard error needs n > 3)."""


def sweep_impact(
    metric: str,
    benchmark: str | None = None,
    *,
    name: str = "",
    address: str = "",
    db_path: str | Path = DATABASE,
) -> list[dict[str, Any]]:
    """Spearman's correlation of each parameter that varies with a metric, the strongest first.

    benchmark: the metric is a score on it, or, with None, the last value of a curve. name, address:
    only experiments whose name, or the folder of whose job, begins so. Of several experiments at
    one address (re-runs of a job) the newest counts. Rows: {parameter, rho, low, high, p, n,
    values}; parameters that are no numbers have the mean of the metric by value instead.
    """
    backend = LocalBackend(db_path)
    found = _values(backend, metric, benchmark)
    chosen: dict[str, tuple[dict[str, Any], float]] = {}
    for one in backend.get_all_experiments():  # the newest first
        here = one["address"] or ""
        known = (one["name"] or "").startswith(name) and here.startswith(address)
        if one["id"] in found and known:
            chosen.setdefault(here or one["id"], (flat(one["config"]), found[one["id"]]))
    if not chosen:
        raise InputError(f"no experiment of these has {metric!r}; see: regen experiments list")
    configs = [config for config, _ in chosen.values()]
    y = np.array([value for _, value in chosen.values()])
    keys = list(dict.fromkeys(key for config in configs for key in config))
    rows = [_row(key, [config.get(key) for config in configs], y) for key in keys]
    return sorted((row for row in rows if row), key=_strength)


def _values(backend: LocalBackend, metric: str, benchmark: str | None) -> dict[str, float]:
    with backend.query() as index:
        if benchmark is None:
            query = "select id, last from metrics where name = ?"
            found = dict(map(tuple, index.execute(query, (metric,))))
            every = "select distinct name from metrics"
            known = [row[0] for row in index.execute(every)]
        else:
            query = "select id, value from scores where benchmark = ? and metric = ?"
            found = dict(map(tuple, index.execute(query, (benchmark, metric))))
            every = "select distinct benchmark || ' ' || metric from scores"
            known = [row[0] for row in index.execute(every)]
    if not found:
        named = f"{benchmark} {metric}" if benchmark else metric
        raise InputError(f"no experiment has {named!r}{nearest(named, known)}")
    return found


def _row(parameter: str, values: Sequence[Any], y: np.ndarray) -> dict[str, Any] | None:
    """One parameter; None if it is the same everywhere."""
    present = np.array([value is not None for value in values])
    shown = [str(value) for value in values if value is not None]
    y = y[present]
    if len(set(shown)) < 2:
        return None
    row: dict[str, Any] = {"parameter": parameter, "n": len(shown), "values": len(set(shown))}
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) == len(shown):
        return row | spearman(np.array(numbers, float), y)
    means = {
        value: float(y[[one == value for one in shown]].mean()) for value in sorted(set(shown))
    }
    none = Absent("not a number")
    return row | {"rho": none, "low": none, "high": none, "p": none, "means": means}


def spearman(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """rho, its 95% interval and two-sided p, of x and y, (n,).

    The interval is Fisher's z with the standard error sqrt((1 + rho^2 / 2) / (n - 3)) of Bonett and
    Wright (2000, Psychometrika 65:23); absent below n = 4 and at rho = 1, where it has no width.
    """
    from scipy import stats

    if np.ptp(y) == 0:
        none = Absent("the metric is the same everywhere")
        return {"rho": none, "low": none, "high": none, "p": none}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three points and fewer: p is said to be nan
        found = stats.spearmanr(x, y)
    rho, n = float(found.statistic), len(x)
    p = float(found.pvalue) if n >= FEWEST else Absent(f"fewer than {FEWEST} experiments")
    if n < FEWEST or abs(rho) > 1 - 1e-12:
        none = Absent("too few experiments" if n < FEWEST else "the ranks agree entirely")
        return {"rho": rho, "low": none, "high": none, "p": p}
    half = float(ndtri(0.975)) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(rho) + np.array([-half, half]))
    return {"rho": rho, "low": float(low), "high": float(high), "p": p}


def _strength(row: Mapping[str, Any]) -> tuple[float, str]:
    rho = row["rho"]
    return (1.0 if isinstance(rho, Absent) else -abs(rho), row["parameter"])

"""A record of every experiment: searched, compared, tested and reproduced.

config, tracker    what an experiment is, and writing it while it runs
events, index, local   event files, the index that is derived from them, and both together
remote             Weights & Biases, MLflow
compare, significance, impact, page   leaderboards, comparisons, tests, sweeps, a static page
jobs, again        jobs of the chain as experiments, and making one again

No table of the paper reads any of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regen.tracking.again import reproduce
    from regen.tracking.compare import compare_experiments, format_comparison, generate_leaderboard
    from regen.tracking.config import ExperimentConfig
    from regen.tracking.impact import sweep_impact
    from regen.tracking.local import LocalBackend
    from regen.tracking.page import export_html
    from regen.tracking.significance import Significance, compute_significance
    from regen.tracking.tracker import ExperimentTracker

__all__ = [
    "ExperimentConfig",
    "ExperimentTracker",
    "LocalBackend",
    "Significance",
    "compare_experiments",
    "compute_significance",
    "export_html",
    "format_comparison",
    "generate_leaderboard",
    "reproduce",
    "sweep_impact",
]

HOME = {
    "ExperimentConfig": "config",
    "ExperimentTracker": "tracker",
    "LocalBackend": "local",
    "Significance": "significance",
    "compare_experiments": "compare",
    "compute_significance": "significance",
    "export_html": "page",
    "format_comparison": "compare",
    "generate_leaderboard": "compare",
    "reproduce": "again",
    "sweep_impact": "impact",
}
"""Where each name is defined: imported when it is asked for, so that a job of the chain, which is
tracked too, does not wait for the statistics."""


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOME[name]}"), name)

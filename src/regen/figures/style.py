"""How every figure looks, and how it is written: the same bytes anywhere."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regen.errors import InputError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (5.6, 3.1)
"""Width and height in inches: one column of the paper."""
LEGEND_WIDTH = 84
"""Characters that fit into a line of the legend, marks included."""
STYLES = (
    ("#777777", "o", ":"),
    ("#0072b2", "s", "-"),
    ("#d55e00", "^", "--"),
    ("#009e73", "D", "-."),
    ("#cc79a7", "v", (0, (5, 1))),
)
"""Colour (Okabe and Ito's, safe for the colour-blind), marker and dash of each line in turn."""
SETTINGS: Any = {
    # Computer Modern, as the paper has it; matplotlib brings both, so that no system font matters.
    "font.family": ["cmr10", "DejaVu Serif"],
    "mathtext.fontset": "cm",
    "axes.formatter.use_mathtext": True,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "regen",
}


def save(figure: "Figure", path: Path) -> None:
    """As <path>.pdf and <path>.png, without times and versions."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    FigureCanvasAgg(figure)
    for text in figure.findobj(Text):
        if isinstance(text, Text) and "$" not in text.get_text():
            # Computer Modern's text font has an accent where others have the underscore.
            text.set_text(text.get_text().replace("_", r"$\_$"))
    path.parent.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Any] = {"CreationDate": None, "Creator": None, "Producer": None}
    with rc_context(SETTINGS):
        figure.savefig(f"{path}.pdf", metadata=plain)
        figure.savefig(f"{path}.png", dpi=150, metadata={"Software": None})


def known(name: str, names: Iterable[str], kind: str) -> None:
    if name not in names:
        raise InputError(f"figure: there is no {kind} {name!r}{nearest(name, names)}")


def columns_of_legend(labels: Iterable[str]) -> int:
    """How many entries fit into a line."""
    lengths = [len(label) for label in labels]
    return max(1, min(len(lengths), LEGEND_WIDTH // (max(lengths) + 8)))

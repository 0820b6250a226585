"""What a study of sets of answers prints: how they vary, what passes, what the objectives did."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from regen.metrics import Metric
from regen.tables.read import Document, Statistics, cell
from regen.tables.table import EMPTY, Cell, Column, Row, Table, label_column

VARIETY = ("distinct_1", "distinct_2", "distinct_3", "self_bleu", "semantic_diversity", "vendi")
QUALITY = ("quality", "relevance", "closeness", "perplexity")
SHORT = {
    "distinct_1": "1",
    "distinct_2": "2",
    "distinct_3": "3",
    "self_bleu": "Self-BLEU (%)",
    "semantic_diversity": "Semantic",
    "vendi": "Vendi",
    "quality": "Well-formed (%)",
    "relevance": "Relevance",
    "closeness": "Closeness",
    "perplexity": "Perplexity",
}
HEADS = {name: "distinct-n (%)" for name in ("distinct_1", "distinct_2", "distinct_3")}


def diversity_table(
    read: Statistics, study: str, spoken: Mapping[str, str], metrics: Mapping[str, Metric]
) -> Table:
    return _means_table(
        "diversity",
        "How the replies to one message vary: mean over messages, ± SD over seeds. Self-BLEU is "
        "smaller where they vary more, the others are larger.",
        VARIETY,
        read,
        study,
        spoken,
        metrics,
    )


def quality_table(
    read: Statistics, study: str, spoken: Mapping[str, str], metrics: Mapping[str, Metric]
) -> Table:
    return _means_table(
        "quality",
        "What the replies are worth by themselves: well-formed by rule; similarity to the message "
        "(relevance) and to what a person replied (closeness); perplexity under the base, smaller "
        "where the base finds them likely.",
        QUALITY,
        read,
        study,
        spoken,
        metrics,
    )


def _means_table(
    name: str,
    caption: str,
    columns: Sequence[str],
    read: Statistics,
    study: str,
    spoken: Mapping[str, str],
    metrics: Mapping[str, Metric],
) -> Table:
    """A row a variant, a column a metric; none where the study has not all of them."""
    rows = []
    for variant, words in spoken.items() if set(columns) <= set(metrics) else ():
        cells = [Cell(words)]
        for metric in columns:
            number = metrics[metric].pattern()
            found = (read.variant(variant, metric, key) for key in ("mean", "sd"))
            cells.append(cell(f"{number} ± {number}", *found, scale=metrics[metric].factor))
        rows.append(Row(variant, tuple(cells)))
    return Table(
        name=name,
        study=study,
        caption=caption,
        columns=(
            label_column("variant", "Variant", spoken.values()),
            *(Column(one, SHORT[one], head=HEADS.get(one, "")) for one in columns),
        ),
        rows=tuple(rows),
    )


def passing_table(sets: Sequence[Path], study: str, spoken: Mapping[str, str]) -> Table:
    """A row a variant: pass@k at a few k, with the bootstrap's intervals."""
    rows, ks = [], (1, 5, 10)
    for read in (Document(file, "sets") for file in sets):
        for variant, words in spoken.items():
            curve = read.content["passing"].get(variant, [])
            at = {row["k"]: index for index, row in enumerate(curve)}
            cells = [
                read.cells(
                    "{:.1f} [{:.1f}, {:.1f}]",
                    *(("passing", variant, at[k], key) for key in ("mean", "low", "high")),
                    scale=100,
                )
                if k in at
                else EMPTY
                for k in ks
            ]
            rows.append(Row(variant, (Cell(words), *cells)))
    return Table(
        name="passing",
        study=study,
        caption="The chance that one of k replies passes, pass@k in %, with 95% bootstrap "
        "intervals over messages.",
        columns=(
            label_column("variant", "Variant", spoken.values()),
            *(Column(f"pass_{k}", f"k = {k}") for k in ks),
        ),
        rows=tuple(rows),
        notes=("Intervals are for these seeds. A dash: fewer samples than k, or no check.",),
    )


def changes_table(
    sets: Sequence[Path],
    study: str,
    spoken: Mapping[str, str],
    metrics: Mapping[str, Metric],
) -> Table:
    """A row a variant and metric: its change relative to the reference, and which way that is."""
    rows = []
    against = ""
    for read in (Document(file, "sets") for file in sets):
        against = f" to {spoken[read.content['against']]}"
        changes = read.content["changes"]
        for block, variant in enumerate(one for one in spoken if one in changes):
            for metric in (one for one in metrics if one in changes[variant]):
                at = ("changes", variant, metric)
                rows.append(
                    Row(
                        f"{variant}/{metric}",
                        (
                            Cell(spoken[variant]),
                            Cell(metrics[metric].label),
                            read.cells(
                                "{:+.1f} [{:+.1f}, {:+.1f}]",
                                *((*at, key) for key in ("value", "low", "high")),
                                scale=100,
                            ),
                            read.cell(*at, "word", pattern="{}"),
                        ),
                        block=block,
                    )
                )
    return Table(
        name="changes",
        study=study,
        caption=f"Changes relative{against}, in percent of its value.",
        columns=(
            Column("variant", "Variant", numeric=False, above=True),
            Column("metric", "Metric", numeric=False),
            Column("change", "Change (%) [95% CI]"),
            Column("word", "Which is", numeric=False),
        ),
        rows=tuple(rows),
        notes=(
            "Intervals over seeds and items, by the delta method; better or worse where they "
            "leave out 0. They are not adjusted for their number.",
        ),
    )


def objectives_table(sets: Sequence[Path], study: str, called: Mapping[str, str]) -> Table:
    """A row a training: is it the plain one, and what was its objective's part?"""
    rows = []
    for read in (Document(file, "sets") for file in sets):
        for name in called:
            at = ("objectives", name)
            mean = (*at, "mean")
            rows.append(
                Row(
                    name,
                    (
                        Cell(called[name]),
                        read.cells("{:d}/{:d}", (*at, "same"), (*at, "seeds")),
                        read.cell(*mean, "loss", pattern="{:.3f}"),
                        read.cell(*mean, "diversity", pattern="{:.3f}"),
                        read.cell(*mean, "combined", pattern="{:.3f}"),
                        read.cell(*mean, "share", pattern="{:.1f}", scale=100),
                        read.cells("{:d}/{:d}", (*at, "diversity_positive"), (*at, "seeds")),
                        read.cell(*at, "gap", "train", pattern="{:.3f}"),
                        read.cell(*at, "gap", "dev", pattern="{:.3f}"),
                    ),
                    block=int(read.content["objectives"][name]["kind"] != "set_diversity"),
                )
            )
    rows.sort(key=lambda row: -row.block)
    return Table(
        name="objectives",
        study=study,
        caption="The objectives in the trainings, means over seeds and the steps at which they "
        "were asked. As SFT: adapters that are those of SFT with the same seed, to the byte.",
        columns=(
            label_column("training", "Recipe", called.values()),
            Column("same", "As SFT"),
            Column("loss", "likelihood", head="loss"),
            Column("diversity", "diversity", head="loss"),
            Column("combined", "combined", head="loss"),
            Column("share", "Gradient (%)"),
            Column("positive", "Positive"),
            Column("train", "train", head="last epoch"),
            Column("dev", "dev", head="last epoch"),
        ),
        rows=tuple(rows),
        notes=(
            "Combined: likelihood less weight times diversity. Gradient: the diversity's part of "
            "the two gradients' norms. Positive: seeds whose diversity stayed above 0.",
        ),
    )

"""Stage `appendix`: tables on the statistics themselves, and on figures reported elsewhere."""

from collections import Counter
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Any

from regen.files import read_json, write_json
from regen.statistics.audit import audit_file
from regen.tables.read import cell, pointer
from regen.tables.table import EMPTY, Cell, Column, Row, Source, Table, write_table

LEVEL = 0.05
T_TEST = "seed-by-item t test"
DESIGNS = {"both": "both trained", "B frozen": "one frozen", "paired seeds": "seeds paired"}
TO_AVOID = {
    "McNemar on pooled rows": "McNemar, pooled",
    "t test over items alone": "t over items",
    "t test over seeds alone": "t over seeds",
    "the same, groups ignored": "groups ignored",
}
OFF = 3
"""Standard errors of the simulation beyond which a share is printed in bold."""


class Records:
    """A list in a stage's JSON file, whose values know where they stand."""

    def __init__(self, file: str, name: str, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self._folder, _, self._file = file.partition("/")
        self._name = name

    def where(self, **wanted: Any) -> list[int]:
        """The places of the rows that have these values."""
        items = wanted.items()
        return [i for i, row in enumerate(self.rows) if all(row[k] == v for k, v in items)]

    def levels(self, key: str, **wanted: Any) -> list[Any]:
        return sorted({self.rows[i][key] for i in self.where(**wanted)})

    def kinds(self, *keys: str) -> list[tuple[Any, ...]]:
        """What there is, in the file's order."""
        return list(dict.fromkeys(tuple(row[key] for key in keys) for row in self.rows))

    def cell(
        self, pattern: str, index: int, key: str, scale: float = 1, bold: bool = False
    ) -> Cell:
        source = Source(self._folder, self._file, pointer(self._name, index, key))
        return cell(pattern, (self.rows[index][key], source), scale=scale, bold=bold)

    def error(self, **wanted: Any) -> Cell:
        """The type-I error at a point of the grid; bold if it is too large."""
        for index in self.where(**wanted):
            row = self.rows[index]
            too_large = row["error"] > LEVEL + OFF * _standard_error(row)
            return self.cell("{:.1f}", index, "error", 100, bold=too_large)
        return EMPTY

    def least_coverage(self, **wanted: Any) -> Cell:
        """The smallest of some coverages; bold if it is too small."""
        found = self.where(**wanted)
        if not found:
            return EMPTY
        index = min(found, key=lambda i: self.rows[i]["coverage"])
        row = self.rows[index]
        too_small = row["coverage"] < 1 - LEVEL - OFF * _standard_error(row)
        return self.cell("{:.1f}", index, "coverage", 100, bold=too_small)

    @property
    def replications(self) -> str:
        """ "Replications a cell: 2000 (standard error 0.5 points)."."""
        said = {row["replications"]: _standard_error(row) for row in self.rows}
        few = sorted(said)[:: max(len(said) - 1, 1)]
        counts = ", ".join(f"{n} (standard error {100 * said[n]:.1f} points)" for n in few)
        return f"Replications a cell: {counts}."


def appendix(*, simulation: Path, reported: Path, out: Path) -> None:
    """Write type-i-error, tests-to-avoid, mcnemar, coverage, and audit.

    simulation: simulation.json; reported: YAML of reported figures (see regen.statistics.audit),
    whose findings and their counts by status go to findings.json
    """
    findings = audit_file(reported)
    counted = {"all": len(findings), **Counter(finding.status for finding in findings)}
    rows = [vars(finding) for finding in findings]
    write_json(out / "findings.json", {"findings": rows, "counts": counted})
    simulated = read_json(simulation)
    errors = Records("simulation/simulation.json", "errors", simulated["errors"])
    covered = Records("simulation/simulation.json", "coverage", simulated["coverage"])
    counts = Records("simulation/simulation.json", "counts", simulated["counts"])
    write_table(type_i_error(errors), out)
    write_table(tests_to_avoid(errors), out)
    write_table(mcnemar_versions(errors), out)
    write_table(coverage(covered, counts), out)
    write_table(audited(Records("tables/findings.json", "findings", rows)), out)


def type_i_error(errors: Records) -> Table:
    """The test that the tables use: seeds, their noise and groups down, design and n across."""
    items = errors.levels("items")
    rows = []
    for grouped, unequal in product((False, True), (False, True)):
        of = {"test": T_TEST, "grouped": grouped}
        pairs = errors.levels("seeds_a", design="unequal seeds" if unequal else "both")
        for seeds, sd in product(pairs, errors.levels("seed_sd")):
            at = {**of, "seeds_a": seeds, "seed_sd": sd}
            names = ("unequal seeds", "", "") if unequal else DESIGNS
            cells = [errors.error(**at, design=name, items=n) for name in names for n in items]
            if any(one.values for one in cells):
                said = f"{seeds}, 10" if unequal else str(seeds)
                words = Cell(said), Cell(f"{100 * sd:g}"), Cell("yes" if grouped else "no")
                name = f"{said.replace(', ', '-')}/{sd:g}/{'groups' if grouped else 'items'}"
                rows.append(Row(name, (*words, *cells), block=int(grouped)))
    return Table(
        name="type-i-error",
        study="across",
        caption="Type-I error (%) of the seed-by-item t test at a level of 5%, for equal methods.",
        columns=(
            Column("seeds", "S", numeric=False),
            Column("seed_sd", "SD"),
            Column("groups", "Groups", numeric=False),
            *(
                Column(f"{design.replace(' ', '-')}/{n}", str(n), head=words)
                for design, words in DESIGNS.items()
                for n in items
            ),
        ),
        rows=tuple(rows),
        notes=(
            "S: seeds a side (3, 10: of each side); SD of accuracy over seeds, in points; columns: "
            f"number of items. {errors.replications} In bold: above 5 by more than {OFF} "
            "standard errors. With one seed and seed noise the test is about the checkpoint, "
            "and wrong about the method.",
        ),
    )


def tests_to_avoid(errors: Records) -> Table:
    """The tests that ignore seeds, items or groups, where both methods are trained."""
    rows = []
    for block, (test, words) in enumerate(TO_AVOID.items()):
        for grouped in errors.levels("grouped", test=test):
            for seeds in errors.levels("seeds_a", test=test, grouped=grouped, design="both"):
                at = {"test": test, "design": "both", "grouped": grouped, "seeds_a": seeds}
                lead = Cell(words), Cell("yes" if grouped else "no"), Cell(str(seeds))
                cells = [errors.error(**at, seed_sd=sd, items=n) for sd, n in _across(errors)]
                name = f"{words.replace(', ', '-').replace(' ', '-')}/{seeds}/"
                name += "groups" if grouped else "items"
                rows.append(Row(name, (*lead, *cells), block=block))
    return Table(
        name="tests-to-avoid",
        study="across",
        caption="Type-I error (%), at a level of 5%, of tests that leave a source of chance out: "
        "this is why the tables of this paper do not use them.",
        columns=(
            Column("test", "Test", numeric=False),
            Column("groups", "Groups", numeric=False),
            Column("seeds", "S"),
            *_noise_columns(errors),
        ),
        rows=tuple(rows),
        notes=(
            "S: seeds a side; SD of accuracy over seeds, in points; columns: number of items. "
            f"{errors.replications} In bold: above 5 by more than {OFF} standard errors.",
        ),
    )


def mcnemar_versions(errors: Records) -> Table:
    """McNemar's test for two checkpoints, in its versions."""
    tests = [test for (test,) in errors.kinds("test") if test.startswith("McNemar (")]
    rows = [
        Row(
            test.replace(" ", "-"),
            (
                Cell(test),
                *(errors.error(test=test, seed_sd=sd, items=n) for sd, n in _across(errors)),
            ),
        )
        for test in tests
    ]
    return Table(
        name="mcnemar",
        study="across",
        caption="Type-I error (%) of the versions of McNemar's test, for one checkpoint "
        "against another. Where seeds differ, equal methods give unequal checkpoints: to find "
        "that is no error about the checkpoints, and would be one about the methods.",
        columns=(Column("test", "Test", numeric=False), *_noise_columns(errors)),
        rows=tuple(rows),
        notes=(
            "SD of accuracy over seeds, in points; columns: number of items. auto: exact below 25 "
            f"discordant pairs. {errors.replications}",
        ),
    )


def coverage(covered: Records, counts: Records) -> Table:
    """Every interval offered, by what it is for: the least coverage over the seeds simulated."""
    items = covered.levels("items")
    across = [
        (grouped, sd)
        for grouped in covered.levels("grouped")
        for sd in covered.levels("seed_sd", grouped=grouped)
    ]
    rows = []
    for records, block in ((covered, 0), (counts, 1)):
        for interval, of in records.kinds("interval", "of"):
            at = {"interval": interval, "of": of}
            if block:
                cells = [counts.least_coverage(**at, items=n) for n in items]
                cells += [EMPTY] * (len(items) * (len(across) - 1))
            else:
                cells = [
                    covered.least_coverage(**at, grouped=grouped, seed_sd=sd, items=n)
                    for grouped, sd in across
                    for n in items
                ]
            name = f"{interval}/{of}".replace(", ", "-").replace(" ", "-")
            rows.append(Row(name, (Cell(interval), Cell(of), *cells), block=block))
    return Table(
        name="coverage",
        study="across",
        caption="Coverage (%) of the intervals at a confidence of 95%: the least over the "
        "numbers of seeds simulated.",
        columns=(
            Column("interval", "Interval", numeric=False, width=0.12),
            Column("of", "of", numeric=False, width=0.13),
            *(
                Column(
                    f"{'groups' if grouped else 'items'}/{sd:g}/{n}",
                    str(n),
                    head=f"{'groups, ' if grouped else ''}SD {100 * sd:g}",
                )
                for grouped, sd in across
                for n in items
            ),
        ),
        rows=tuple(rows),
        notes=(
            "SD of accuracy over seeds, in points; columns: number of items (of problems, for "
            f"pass@k). {covered.replications} In bold: below 95 by more than {OFF} standard "
            "errors.",
        ),
    )


def audited(findings: Records) -> Table:
    """What the working notes print, and what follows from the figures beside it."""
    rows = [
        Row(
            f"{row['case']}/{row['figure']}".replace(" ", "-"),
            (
                Cell(row["case"].replace("-", " ")),
                Cell(row["figure"]),
                findings.cell("{}", index, "reported"),
                findings.cell("{}", index, "recomputed"),
                findings.cell("{}", index, "status"),
            ),
        )
        for index, row in enumerate(findings.rows)
    ]
    return Table(
        name="audit",
        study="across",
        caption="Figures that the working notes behind the studies report, recomputed from the "
        "figures beside them.",
        columns=(
            Column("case", "Case", numeric=False, width=0.22),
            Column("figure", "Figure", numeric=False),
            Column("reported", "Reported", numeric=False, width=0.22),
            Column("recomputed", "Recomputed", numeric=False, width=0.15),
            Column("status", "Verdict", numeric=False),
        ),
        rows=tuple(rows),
    )


def _across(errors: Records) -> list[tuple[float, int]]:
    return list(product(errors.levels("seed_sd"), errors.levels("items")))


def _noise_columns(errors: Records) -> list[Column]:
    return [Column(f"{sd:g}/{n}", str(n), head=f"SD {100 * sd:g}") for sd, n in _across(errors)]


def _standard_error(row: dict[str, Any]) -> float:
    return sqrt(LEVEL * (1 - LEVEL) / row["replications"])

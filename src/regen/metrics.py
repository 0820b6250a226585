"""What a metric is: how its values are printed, and which way is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """label: as a sentence has it; percent: a share, printed in percent and compared in points;
    digits: after the point, None for four significant ones; least: the smallest value there can
    be, where it is no share.
    """

    label: str
    percent: bool = True
    larger_is_better: bool = True
    digits: int | None = 1
    least: float | None = None

    @property
    def factor(self) -> int:
        return 100 if self.percent else 1

    def pattern(self, signed: bool = False) -> str:
        """The format of a value times `factor`."""
        sign = "+" if signed else ""
        return f"{{:{sign}.4g}}" if self.digits is None else f"{{:{sign}.{self.digits}f}}"

    @property
    def range(self) -> tuple[float | None, float | None]:
        """The smallest and the largest value there can be; None where there is none."""
        return (0, 1) if self.percent else (self.least, None)

    @property
    def heading(self) -> str:
        """Of a column or an axis."""
        label = self.label[0].upper() + self.label[1:]
        return f"{label} (%)" if self.percent else label

    @property
    def unit(self) -> str:
        """Of a difference."""
        return " points" if self.percent else ""


def undescribed(label: str, binary: bool) -> Metric:
    """A metric of which only its values are known."""
    return Metric(label, percent=binary, digits=1 if binary else None)

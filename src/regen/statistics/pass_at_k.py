"""pass@k: would one of k samples have solved the problem?"""

import numpy as np
from numpy.typing import ArrayLike

from regen.files import Absent


def pass_at_k(n: int, correct: int, k: int) -> float | Absent:
    """1 - C(n - c, k) / C(n, k), unbiased (Chen et al. 2021, arXiv 2107.03374, equation 1).

    n samples were drawn for the problem, `correct` of them solve it; absent for n < k.
    Raises ValueError for counts that cannot be.
    """
    if not (0 <= correct <= n and k >= 1):
        raise ValueError(f"pass@{k} of {correct} right in {n} samples is not defined")
    if n < k:
        return Absent(f"pass@{k} needs {k} samples, there are {n}")
    if n - correct < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - correct + 1, n + 1)))


def mean_pass_at_k(n: ArrayLike, correct: ArrayLike, k: int) -> float | Absent:
    """Mean over problems, n and correct (problems,); absent if any problem has too few samples.

    Its interval is `bootstrap.bootstrap_mean` over the problems' values, never over samples.
    """
    values = [
        pass_at_k(int(total), int(right), k)
        for total, right in zip(np.atleast_1d(n), np.atleast_1d(correct), strict=True)
    ]
    absent = [value for value in values if isinstance(value, Absent)]
    if absent or not values:
        return absent[0] if absent else Absent("no problems")
    return float(np.mean([value for value in values if not isinstance(value, Absent)]))

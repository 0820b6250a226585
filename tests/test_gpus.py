"""Jobs on one machine take GPUs of their own. No GPU is needed: names are given out."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from regen.gpus import VISIBLE, claimed

JOB = """
import os, sys
from regen.gpus import claimed
with claimed(int(sys.argv[1])):
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    sys.stdin.read()
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
"""


class Job:
    def __init__(self, count: int, visible: str, folder: Path) -> None:
        environment = os.environ | {VISIBLE: visible, "TMPDIR": str(folder)}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(count)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.has = self.process.stdout.readline().strip()

    def end(self) -> str:
        return self.process.communicate("")[0].strip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[object]:
    begun: list[Job] = []

    def one(count: int, visible: str = "0,1,2,3") -> Job:
        begun.append(Job(count, visible, tmp_path))
        return begun[-1]

    yield one
    for job in begun:
        job.process.kill()
        job.process.communicate()


def test_each_has_its_own_and_gives_it_back(begin) -> None:  # type: ignore[no-untyped-def]
    first, two, last = begin(1), begin(2), begin(1)
    assert (first.has, two.has, last.has) == ("0", "1,2", "3")
    assert begin(1).has == "0"  # shared: there are more jobs than GPUs
    assert two.end() == "0,1,2,3"
    assert begin(1).has == "1"
    last.kill()
    again = begin(2)
    assert again.has == "2,3"


def test_there_may_be_nothing_to_choose(begin) -> None:  # type: ignore[no-untyped-def]
    assert begin(1, "GPU-3f2").has == begin(1, "GPU-3f2").has == "GPU-3f2"
    assert begin(2, "4,5").has == "4,5"
    assert begin(0).has == "0,1,2,3"
    assert begin(1, "").has == ""
    assert begin(1, "4,5").has == "4"


def test_without_gpus_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    with claimed(1):
        import torch

        if not torch.cuda.device_count():
            assert VISIBLE not in os.environ

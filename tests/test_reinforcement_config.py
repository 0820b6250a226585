"""What the configuration says of trainings with rewards, and the figure of the rewards."""

from pathlib import Path

import pytest

from regen.chain import Chain
from regen.config import check, read
from regen.errors import InputError
from regen.figures.rewards import rewards
from regen.files import read_json, write_jsonl
from regen.provenance import Input

HERE = "studies.math.trainings"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"{HERE}.grpo.start=stf", "there is no earlier training 'stf'; did you mean 'sft'"),
        (f"{HERE}.grpo.start=grpo", "there is no earlier training 'grpo'"),
        (f"{HERE}.sft.start=grpo", "only a training with `reinforcement` goes on"),
        (f"{HERE}.sft.lora.r=4", "so it must have the same lora"),
        (f"{HERE}.grpo.optimisation.batch_size=60", r"60 is no multiple of"),
        (f"{HERE}.grpo.optimisation.epochs=2", "optimisation.epochs: has no meaning"),
        (f"{HERE}.sft.items=100000", "100000, but the study has"),
        (f"{HERE}.grpo.reinforcement.num_generations=1", "num_generations"),
        (
            "studies.math.figures=[{name: paid, kind: rewards, training: sft, caption: c}]",
            "no training with reinforcement 'sft'",
        ),
    ],
)
def test_mistakes_are_one_line(project: Path, change: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        check(read([project / "config.yaml"], [change]))
    assert "\n" not in str(caught.value)


def test_reinforcement_goes_on_from_the_checkpoint_of_the_same_seed(project: Path) -> None:
    chain = Chain(check(read([project / "config.yaml"])))
    job = chain.job("training", study="math", training="grpo", seed="123")
    assert job.function == "regen.reinforcement:reinforce"
    start = "results/embedded/math/checkpoints/sft/seed-123"
    assert job.inputs["start"] == Input(None, start)
    assert job.params["limit"] > chain.jobs[start].params["limit"]
    order = list(chain.jobs)
    assert order.index(start) < order.index(job.out)
    assert "reinforcement" not in chain.jobs[start].params


def test_the_figure_of_the_rewards(tmp_path: Path) -> None:
    logs = []
    for seed in (1, 2):
        rows = [
            {
                "step": n,
                "loss": 0.0,
                "reward": 3.0,
                "reward_sd": 1.0,
                "reward_format": seed * n / 10,
            }
            for n in range(1, 6)
        ]
        logs.append(tmp_path / f"seed-{seed}" / "log.jsonl")
        write_jsonl(logs[-1], rows)
    rewards(logs=logs, figure={"name": "paid", "caption": "c"}, out=tmp_path)
    found = read_json(tmp_path / "paid.json")
    assert found["steps"] == [1, 2, 3, 4, 5]
    assert found["lines"] == {"format": pytest.approx([0.15, 0.3, 0.45, 0.6, 0.75])}
    assert (tmp_path / "paid.pdf").stat().st_size and (tmp_path / "paid.png").stat().st_size

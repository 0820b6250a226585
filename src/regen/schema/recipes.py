"""Recipes of trainings, and the choices among them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from regen.schema.common import ByEndpoint, Name, Positive, Section, Seed


class Lora(Section):
    """A low-rank adapter (Hu et al. 2021, arXiv 2106.09685)."""

    r: Positive = 16
    """rank"""
    alpha: Positive = 32
    """scale: the adapter's output is multiplied by alpha / r"""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """on the adapter's input, in training"""
    targets: Literal["attention", "attention+mlp"] = "attention"
    """q, k, v, o projections; with mlp also gate, up and down"""


class Optimisation(Section):
    """How the loss is brought down."""

    epochs: Positive = 3
    """passes over the training items"""
    max_steps: Positive | None = None
    """stop after so many steps, whatever the epochs"""
    batch_size: Positive = 16
    """items a step"""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    """peak, after warm-up"""
    warmup_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    """share of the steps over which the learning rate rises"""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """of AdamW"""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """gradients are clipped to this norm"""
    save_every: Positive = 50
    """steps between saved states, from which an interrupted training goes on"""
    group_by_length: bool = False
    """items of about the same length share a step, so that less of it is padding"""
    keep_epochs: bool = False
    """keep the adapter after each epoch, for variants that name an `epoch`"""
    dev_items: Annotated[int, Field(strict=True, ge=0)] = 0
    """after each epoch the log gets the loss on so many dev items; 0 for none"""
    processes: Positive = 1
    """that share each batch, each on a graphics processor of its own (`resources` must ask for as
    many); another number is another result, since sums and dropout differ"""

    @model_validator(mode="after")
    def _whole_epochs(self) -> "Optimisation":
        if self.keep_epochs and self.max_steps is not None:
            raise ValueError("keep_epochs wants whole epochs; leave out max_steps")
        return self

    @model_validator(mode="after")
    def _shares(self) -> "Optimisation":
        if self.batch_size % self.processes:
            raise ValueError(
                f"processes: {self.processes} cannot share batches of {self.batch_size} evenly"
            )
        return self


class Objective(Section):
    """What is asked for beside the likelihood: sets of answers that vary; see
    src/regen/objectives.py and set_training.py."""

    kind: Literal["as_written", "set_diversity"]
    """as_written: the loss minus weight x the diversity of decoded text, which has no gradient;
    set_diversity: a score-function estimate, which has one"""
    weight: Annotated[float, Field(ge=0)]
    """lambda"""
    n_generations: Annotated[int, Field(strict=True, ge=2)] = 4
    """answers drawn for a question"""
    max_examples: Positive = 4
    """questions of a batch that answers are drawn for"""
    every_n_steps: Positive = 1
    """steps between one that draws and the next"""
    max_new_tokens: Positive = 24
    """longest answer"""
    temperature: Annotated[float, Field(gt=0, le=10)] = 1.0
    """of the draws"""

    @model_validator(mode="after")
    def _own_draws(self) -> "Objective":
        if self.kind == "set_diversity" and self.temperature != 1:
            raise ValueError(
                "temperature: set_diversity is paid for what the model itself draws; leave it at 1"
            )
        return self


class Check(Section):
    """What a judge is asked about an output."""

    weight: Annotated[float, Field(gt=0)] = 1.0
    """of the answer, in the mean"""
    asks: str
    """what it is that 0 says is not there at all, and 1 says is there fully"""


class Judge(ByEndpoint):
    """A language model that pays a reward in place of the benchmark's own rule.

    What it answers may change, and so may the training.
    """

    kind: Literal["endpoint"] = "endpoint"
    """who does it"""
    reward: str = "rubric"
    """of the benchmark's rewards"""
    checks: Annotated[dict[Name, Check], Field(min_length=1)]
    """the rubric"""


class Reinforcement(Section):
    """Rewards for what the model says itself: GRPO (Shao et al. 2024, arXiv 2402.03300).

    Of `optimisation`, the learning rate, its warm-up, weight decay and clipping count, and
    `batch_size`, the number of outputs a step.
    """

    num_steps: Positive = 500
    """updates"""
    num_generations: Annotated[int, Field(strict=True, ge=2)] = 4
    """outputs for each question, which are compared with each other"""
    num_iterations: Positive = 1
    """updates on the same outputs; with one, the ratio that epsilon clips is always 1"""
    beta: Annotated[float, Field(ge=0)] = 0.1
    """weight of the divergence from where the training started"""
    epsilon: Annotated[float, Field(gt=0)] = 0.2
    """how far the ratio of new to old probability counts"""
    temperature: Annotated[float, Field(gt=0, le=10)] = 0.7
    """of the draws"""
    top_k: Annotated[int, Field(strict=True, ge=0)] = 50
    """so many tokens are drawn from; 0 for all"""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """share of the probability that is drawn from"""
    max_prompt_length: Positive = 1024
    """tokens; items that are asked in more are left out"""
    max_new_tokens: Positive = 512
    """longest output"""
    weights: dict[str, Annotated[float, Field(ge=0)]] = {
        "format": 1.0,
        "accuracy": 2.0,
        "rubric": 0.5,
    }
    """of the benchmark's rewards, by name"""
    judge: Judge | None = None
    """who pays one of the rewards; null for the benchmark's rules"""

    @model_validator(mode="after")
    def _pays_what_counts(self) -> "Reinforcement":
        if self.judge is not None and self.judge.reward not in self.weights:
            raise ValueError(f"judge.reward: weights has no {self.judge.reward!r}; add it there")
        return self


class Training(Section):
    """A recipe: what is trained and how. Variants that differ only in prompt share one."""

    prompt: str = "baseline"
    """named prompt of the benchmark that the model is trained on"""
    lora: Lora = Lora()
    """the adapter"""
    selected: Name | None = None
    """grid of the study's `selections` whose winner gives `lora.r` and `lora.alpha` instead"""
    optimisation: Optimisation = Optimisation()
    """the optimiser"""
    objective: Objective | None = None
    """beside the likelihood of the answers; null for that alone"""
    items: Positive | None = None
    """the first so many of the study's training items; null for all of them"""
    start: Name | None = None
    """an earlier training, whose checkpoint of the same seed this one goes on from"""
    reinforcement: Reinforcement | None = None
    """rewards for the model's own outputs instead of answers to learn; null for none"""

    @model_validator(mode="after")
    def _what_one_process_does(self) -> "Training":
        if self.objective is not None and self.optimisation.processes > 1:
            raise ValueError("optimisation.processes: an objective is asked by one; leave it at 1")
        return self

    @model_validator(mode="after")
    def _what_reinforcement_takes(self) -> "Training":
        if self.reinforcement is None:
            if self.start is not None:
                raise ValueError("start: only a training with `reinforcement` goes on from another")
            return self
        if self.optimisation.batch_size % self.reinforcement.num_generations:
            raise ValueError(
                f"optimisation.batch_size: {self.optimisation.batch_size} is no multiple of "
                f"reinforcement.num_generations ({self.reinforcement.num_generations})"
            )
        if self.objective is not None:
            raise ValueError("objective: has no meaning with reinforcement")
        usual = Optimisation()
        for name in ("epochs", "max_steps", "keep_epochs", "group_by_length", "dev_items"):
            if getattr(self.optimisation, name) != getattr(usual, name):
                raise ValueError(f"optimisation.{name}: has no meaning with reinforcement")
        return self


class Sweep(Section):
    """A variant's recipe at several learning rates and ranks, and what each gives on dev.

    It chooses nothing, and a run that fails is a row of its table; to choose, see `selections`.
    """

    variant: Name
    """whose recipe is trained, and as which it answers"""
    learning_rate: list[Annotated[float, Field(gt=0)]]
    """those that are tried"""
    r: list[Positive]
    """ranks that are tried, each with each rate"""
    seed: Seed
    """the one seed that they are trained with"""
    metric: str = "accuracy"
    """metric of the benchmark, on the dev split"""

    @model_validator(mode="after")
    def _several(self) -> "Sweep":
        for name in ("learning_rate", "r"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: {values} names one twice")
        if len(self.learning_rate) * len(self.r) < 2:
            raise ValueError("a sweep has two runs or more, of each learning_rate with each r")
        return self


class Selection(Section):
    """The best on the dev split: of a grid over rank and scale, or among trained variants.

    Ties go to fewer trainable parameters, then to the smaller alpha.
    """

    recipe: Name | None = None
    """of a grid: the recipe that is trained at each of its points"""
    r: list[Positive] = []
    """of a grid: ranks"""
    alpha: list[Positive] = []
    """of a grid: scales"""
    among: list[Name] = []
    """else: variants that are trained, as they are"""
    seed: Seed
    """the one seed that they are trained with for this"""
    metric: str = "accuracy"
    """metric of the benchmark, on the dev split"""

    @model_validator(mode="after")
    def _one_kind(self) -> "Selection":
        grid = bool(self.recipe and self.r and self.alpha)
        if grid == (len(self.among) > 1) or (self.among and (self.recipe or self.r or self.alpha)):
            raise ValueError("a selection has recipe, r and alpha, or two variants in `among`")
        for name in ("r", "alpha", "among"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: {values} names one twice")
        return self

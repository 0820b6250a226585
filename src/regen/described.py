r"""What the paper's text says of models, data sets and proposers: the configuration's, in words.

A section would be wrong at another scale that named its model; so it says \model{speech} and
\data{math}, and where a sentence holds for one builder alone, \where{speech/base/tiny_audio}{it
stands here}{what is said otherwise}.
"""

from collections.abc import Iterable
from typing import get_args

from regen.schema import Config
from regen.schema.common import ByEndpoint
from regen.schema.datasets import DataSet, OwnData, TraitsData
from regen.schema.models import (
    GgufModel,
    HubModel,
    Model,
    QuantisedModel,
    RoundedModel,
    TinyAudioModel,
    TinyLlamaModel,
)
from regen.schema.prompts import EndpointProposer, LocalProposer

NF4 = "in four bits (NF4, with the constants of quantisation quantised too)"
COMMIT = 12
"""Characters of a commit that name it."""


def described(config: Config) -> dict[str, str]:
    """{"model/<study>", "model/<study>/<prompt search>", "data/<study>": words}."""
    words = {}
    for name, study in config.studies.items():
        words[f"model/{name}"] = of_model(config, study.base)
        words[f"data/{name}"] = of_data(config, study.dataset)
        for search, settings in study.prompt_searches.items():
            proposer = settings.proposer
            if isinstance(proposer, LocalProposer):
                said = of_model(config, proposer.model)
            elif isinstance(proposer, EndpointProposer):
                said = f"{proposer.model}, asked through a server,"
            else:
                said = "chance"
            words[f"model/{name}/{search}"] = said
    return words


def holds(config: Config) -> list[str]:
    r"""What \where may ask, and is so: builders by study, who judges, labels and augments, and the
    scale.
    """
    found = [f"scale/{config.scale}"]
    for name, study in config.studies.items():
        found.append(f"{name}/base/{config.models[study.base].builder}")
        data = config.datasets[study.dataset]
        found.append(f"{name}/data/{data.builder}")
        if isinstance(data, TraitsData):
            found.append(f"{name}/labels/{data.labeller.kind}")
            if data.augmented:
                found.append(f"{name}/augmented/{data.augmenter.kind}")
        if any(one.reinforcement and one.reinforcement.judge for one in study.trainings.values()):
            found.append(f"{name}/rewards/judged")
    return found


def questions(studies: Iterable[str]) -> set[str]:
    r"""What \where may ask of these studies; of the scale, any name."""
    builders = {"base": Model, "data": DataSet}
    asked = ["rewards/judged"]
    asked += [f"{what}/{kind}" for what in ("labels", "augmented") for kind in ("rule", "endpoint")]
    found = {f"{study}/{one}" for study in studies for one in asked}
    for what, union in builders.items():
        for section in get_args(get_args(union)[0]):
            (builder,) = get_args(section.model_fields["builder"].annotation)
            found |= {f"{study}/{what}/{builder}" for study in studies}
    return found


def of_model(config: Config, name: str) -> str:
    """A base model as a noun phrase with an article, or a name."""
    model = config.models[name]
    if isinstance(model, TinyAudioModel):
        return (
            "a small model of the Qwen2-Audio architecture, built by the workflow and pretrained "
            "on questions about sounds"
        )
    if isinstance(model, TinyLlamaModel):
        return (
            f"a tiny Llama, built by the workflow and pretrained on other items of the data set "
            f"{model.dataset}"
        )
    if isinstance(model, GgufModel):
        return "SmolLM2-135M-Instruct, published in four bits and dequantised"
    if isinstance(model, RoundedModel):
        return f"{of_model(config, model.of)}, rounded to what it would be {NF4}"
    if isinstance(model, QuantisedModel):
        return f"{of_model(config, model.of)}, held {NF4}"
    if isinstance(model, HubModel):
        commit = f", commit {model.revision[:COMMIT]}" if model.revision else ""
        held = f", held {NF4}" if model.quantisation == "nf4" else ""
        return f"{model.id.rpartition('/')[2]} ({model.id}{commit}){held}"
    return "a tiny model with random weights, whose answers mean nothing"


def of_data(config: Config, name: str) -> str:
    """A data set as a name, and where it is from."""
    data = config.datasets[name]
    if isinstance(data, TraitsData):
        return f"the data set {name}, made by the workflow{_by_endpoints(data)}"
    if not isinstance(data, OwnData):
        return f"the data set {name}, made by the workflow"
    if data.hub is None:
        return f"the data set {name}, read from files of the project"
    commit = f", commit {data.hub.revision[:COMMIT]}" if data.hub.revision else ""
    return f"the data set {data.hub.id}{commit}"


def _by_endpoints(data: TraitsData) -> str:
    """What language models did to a data set, as the end of a phrase; "" where there were none."""
    done = []
    if data.labelled and isinstance(data.labeller, ByEndpoint):
        *others, last = data.labelled
        scored = f"{', '.join(others)} and {last}" if others else last
        done.append(f"{scored} scored by {data.labeller.model}")
    if data.augmented and isinstance(data.augmenter, ByEndpoint):
        done.append(f"further training items rewritten by {data.augmenter.model}")
    return f", with {' and '.join(done)}" if done else ""

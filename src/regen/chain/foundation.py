"""Jobs that no study owns: pinned packages in, data sets and base models out."""

from collections.abc import Sequence
from typing import Any

from regen.chain.study import benchmark_module
from regen.provenance import Input, Job
from regen.schema import Config
from regen.schema.datasets import DecisionsData, OwnData, SpeechData
from regen.schema.models import (
    EncoderModel,
    GgufModel,
    HubModel,
    QuantisedModel,
    RoundedModel,
    TinyAudioModel,
    TinyTextModel,
)


def sources_job(name: str, packages: Sequence[str]) -> Job:
    """The pinned packages of a data set, or of a base model: `name` is either."""
    return Job(
        stage="sources",
        out=f"data/sources/{name}",
        function="regen.data.sources:sources",
        wildcards={"dataset": name},
        inputs={"requirements": Input("data/sources.txt")},
        params={"packages": list(packages)},
        outputs=("packages.json",),
        beside=("archives",),
    )


def data_job(config: Config, dataset: str) -> Job:
    data = config.datasets[dataset]
    if isinstance(data, OwnData):
        return _own_data_job(data, dataset)
    inputs = {}
    if data.sources:
        inputs["sources"] = Input("archives", f"data/sources/{dataset}")
    if isinstance(data, DecisionsData):
        inputs["apart_from"] = Input("train.jsonl", f"data/{data.apart_from}")
    return Job(
        stage="data",
        out=f"data/{dataset}",
        function=f"regen.data.{data.builder}:{data.builder}",
        wildcards={"dataset": dataset},
        inputs=inputs,
        params=data.model_dump(exclude={"builder", "sources", "apart_from"}),
        outputs=("train.jsonl", "dev.jsonl", "test.jsonl", "card.json"),
        beside=("clips",) if isinstance(data, SpeechData) else (),
    )


def _own_data_job(data: OwnData, dataset: str) -> Job:
    """Files of the project are inputs; those of the hub are named by its revision."""
    files = {split: path for split, path in data.files if path is not None}
    inputs: dict[str, Input | tuple[Input, ...]] = {}
    given: dict[str, Any] = {"splits": list(files)}
    if data.hub is None:
        inputs["files"] = tuple(Input(path) for path in files.values())
    else:
        given |= {"files": list(files.values()), "hub": data.hub.model_dump()}
    if data.audio is not None:
        inputs["audio"] = Input(data.audio)
    left_out = {"builder", "sources", "files", "hub", "audio"}
    return Job(
        stage="data",
        out=f"data/{dataset}",
        function="regen.data.own:own",
        wildcards={"dataset": dataset},
        inputs=inputs,
        params=data.model_dump(exclude=left_out) | given,
        outputs=("train.jsonl", "dev.jsonl", "test.jsonl", "card.json"),
        beside=("clips",) if data.audio is not None else (),
        code=(benchmark_module(data.benchmark),),
    )


def model_job(config: Config, name: str) -> Job:
    model = config.models[name]
    if isinstance(model, HubModel):
        return Job(
            stage="models",
            out=f"models/{name}",
            function="regen.models.hub:hub",
            wildcards={"base": name},
            params=model.model_dump(exclude={"builder"}),
            outputs=("hub.json",),
        )
    if isinstance(model, QuantisedModel):
        return Job(
            stage="models",
            out=f"models/{name}",
            function="regen.models.quantised:quantised",
            wildcards={"base": name},
            inputs={"of": Input(None, f"models/{model.of}")},
            params=model.model_dump(exclude={"builder", "of"}),
            outputs=("held.json",),
        )
    if isinstance(model, EncoderModel):
        return Job(
            stage="models",
            out=f"models/{name}",
            function="regen.models.encoder:encoder",
            wildcards={"base": name},
            inputs={"sources": Input("archives", f"data/sources/{name}")},
            params={"package": model.sources[0]},
            outputs=("config.json", "model.safetensors"),
            beside=("card.json", "tokenizer.json", "tokenizer_config.json"),
            measured=("timing.json",),
        )
    if isinstance(model, GgufModel):
        params = {"package": str(model.sources[0])}
        found = Input("archives", f"data/sources/{name}")
        return _text_model_job(name, "regen.models.gguf:gguf", {"sources": found}, params)
    if isinstance(model, RoundedModel):
        whole = Input(None, f"models/{model.of}")
        return _text_model_job(name, "regen.models.rounded:rounded", {"of": whole}, {})
    if isinstance(model, TinyTextModel):
        return Job(
            stage="models",
            out=f"models/{name}",
            function="regen.models.tiny_text:tiny_text",
            wildcards={"base": name},
            params=model.model_dump(exclude={"builder"}),
            outputs=("config.json", "model.safetensors"),
            beside=(
                "chat_template.jinja",
                "generation_config.json",
                "tokenizer.json",
                "tokenizer_config.json",
            ),
            measured=("timing.json",),
        )
    return Job(
        stage="models",
        out=f"models/{name}",
        function=f"regen.models.{model.builder}:{model.builder}",
        wildcards={"base": name},
        inputs={"data": Input(None, f"data/{model.dataset}")},
        params=model.model_dump(exclude={"builder", "dataset"}),
        outputs=("config.json", "model.safetensors"),
        beside=(
            "chat_template.jinja",
            "generation_config.json",
            "pretraining.jsonl",
            *(("processor_config.json",) if isinstance(model, TinyAudioModel) else ()),
            "tokenizer.json",
            "tokenizer_config.json",
        ),
        measured=("timing.json",),
        code=(benchmark_module(model.benchmark),),
    )


def _text_model_job(
    name: str, function: str, inputs: dict[str, Input | tuple[Input, ...]], params: dict[str, str]
) -> Job:
    """A language model as a folder that plain transformers reads."""
    return Job(
        stage="models",
        out=f"models/{name}",
        function=function,
        wildcards={"base": name},
        inputs=inputs,
        params=params,
        outputs=("config.json", "model.safetensors"),
        beside=(
            "card.json",
            "chat_template.jinja",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ),
        measured=("timing.json",),
    )

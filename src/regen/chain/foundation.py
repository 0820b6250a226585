"""Jobs that no study owns: pinned packages in, data sets and base models out."""

from regen.chain.study import benchmark_module
from regen.provenance import Input, Job
from regen.schema import Config
from regen.schema.foundation import HubModel


def sources_job(config: Config, dataset: str) -> Job:
    return Job(
        stage="sources",
        out=f"data/sources/{dataset}",
        function="regen.data.sources:sources",
        wildcards={"dataset": dataset},
        inputs={"requirements": Input("data/sources.txt")},
        params={"packages": config.datasets[dataset].sources},
        outputs=("packages.json",),
        beside=("archives",),
    )


def data_job(config: Config, dataset: str) -> Job:
    data = config.datasets[dataset]
    return Job(
        stage="data",
        out=f"data/{dataset}",
        function=f"regen.data.{data.builder}:{data.builder}",
        wildcards={"dataset": dataset},
        inputs={"sources": Input("archives", f"data/sources/{dataset}")},
        params=data.model_dump(exclude={"builder", "sources"}),
        outputs=("train.jsonl", "dev.jsonl", "test.jsonl", "card.json"),
        beside=("clips",),
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
            "processor_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ),
        measured=("timing.json",),
        code=(benchmark_module(model.benchmark),),
    )

"""The configuration: what is refused, in which words, and what reaches a job."""

import re
from pathlib import Path

import pytest
import yaml

from regen.chain import Chain
from regen.config import check, read
from regen.errors import InputError
from regen.files import dumps, read_json
from regen.schema import RESERVED, json_schema
from regen.versioning import dvc_yaml


def configuration(project: Path, *changes: str, overlays: tuple[str, ...] = ()) -> dict:
    files = [project / "config.yaml", *(project / "config" / f"{o}.yaml" for o in overlays)]
    return read(files, changes)


def overlays(project: Path) -> list[str]:
    return [path.stem for path in (project / "config").glob("*.yaml")]


def test_every_scale_is_valid(project: Path) -> None:
    check(configuration(project))
    for overlay in overlays(project):
        config = check(configuration(project, overlays=(overlay,)))
        assert config.scale == overlay


LORA = "studies.speech.trainings.lora"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (f"{LORA}.lora.rank=4", ["lora.rank", "unknown key"]),
        (f"{LORA}.lora.alhpa=4", ["lora.alhpa", "unknown key", "did you mean 'alpha'"]),
        (f"{LORA}.lora.r=0", ["lora.r", "greater than 0"]),
        (f"{LORA}.lora.r=eight", ["lora.r", "eight"]),
        ("studies.speech.seeds=[42, x]", ["seeds", "'x'"]),
        ("studies.speech.seeds=[42, 42]", ["seeds", "twice"]),
        ("studies.speech.reference=bsae", ["bsae", "did you mean 'base'"]),
        ("studies.speech.variants.lora.training=lorra", ["lorra", "did you mean 'lora'"]),
        ("studies.speech.base=tiny-adio", ["tiny-adio", "did you mean 'tiny-audio'"]),
        ("studies.speech.benchmark=spech", ["spech", "did you mean 'speech'"]),
        ("studies.speech.facets=[snr_db, kinds]", ["facets", "did you mean 'kind'"]),
        ("studies.speech.variants.energy.trivial=enrgy", ["trivial", "did you mean 'energy'"]),
        ("studies.speech.variants.lora.prompt=baselin", ["prompt", "did you mean 'baseline'"]),
        ("models.tiny-audio.pretraining.step=3", ["pretraining.step", "did you mean 'steps'"]),
        ("studies.speech.items.test=100000", ["items.test", "100000"]),
        ("studeis=1", ["studeis", "did you mean 'studies'"]),
        ("scale=Embedded Scale", ["scale"]),
        ("scale=scratch", ["scale", "quick tries"]),
        ("studies.speech.calibration.variants=[energy]", ["calibration", "answers from logits"]),
        ("studies.speech.calibration.variants=[lorra]", ["calibration", "did you mean 'lora'"]),
        ("studies.speech.thresholds.level=0.5", ["thresholds", "not above guessing"]),
        ("studies.speech.calibration=null", ["figures.reliability", "calibration"]),
        ("resources.trainin.threads=2", ["resources.trainin", "did you mean 'training'"]),
        ("datasets.speech.sources=[foo]", ["sources"]),
        ("datasets.speech.sources=[]", ["sources"]),
        ("models.tiny-audio.architecture.heads=5", ["heads", "divide"]),
        (f"{LORA}.optimisation.max_grad_norm=.inf", ["max_grad_norm", "finite"]),
        ("simulation.items=[2]", ["simulation.items", "10"]),
        ("simulation.seeds=[]", ["simulation.seeds"]),
        ("seeds=[1", ["--set seeds=[1", "not YAML"]),
        (f"{LORA}.selected=rnak", ["selected", "did you mean 'rank'"]),
        (f"{LORA}.selected=targets", ["selected", "grid among the selections"]),
        ("studies.speech.selections.rank.recipe=lorra", ["recipe", "did you mean 'lora'"]),
        ("studies.speech.selections.rank.r=[8, 8]", ["selections.rank", "twice"]),
        ("studies.speech.selections.rank.r=[]", ["selections.rank", "recipe, r and alpha"]),
        ("studies.speech.selections.targets.among=[lora]", ["selections.targets", "two variants"]),
        ("studies.speech.selections.targets.among=[lora, base]", ["base", "trained variant"]),
        ("studies.speech.selections.rank.metric=acuracy", ["metric", "did you mean 'accuracy'"]),
        ("studies.speech.selections.targets.seed=7", ["selections.targets.seed", "7"]),
    ],
)
def test_a_mistake_is_one_clear_line(project: Path, change: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        check(configuration(project, change))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_study_cannot_have_the_name_of_a_rule(project: Path) -> None:
    text = "".join(p.read_text() for p in [project / "Snakefile", *project.glob("rules/*.smk")])
    rules = {name.replace("_", "-") for name in re.findall(r"^rule (\w+):", text, re.M)}
    assert len(rules) > 20
    assert rules <= RESERVED
    merged = configuration(project)
    merged["studies"]["train"] = merged["studies"].pop("speech")
    with pytest.raises(InputError, match=r"studies\.train: the name of a target"):
        check(merged)


def test_a_missing_key_is_named(project: Path) -> None:
    merged = configuration(project)
    del merged["studies"]["speech"]["seeds"]
    with pytest.raises(InputError, match=r"studies\.speech\.seeds: is missing"):
        check(merged)


def test_null_takes_a_named_entry_out(project: Path) -> None:
    changes = ("studies.speech.variants.energy=null", "studies.speech.labels.energy=null")
    config = check(configuration(project, *changes))
    assert "energy" not in config.studies["speech"].variants


def test_broken_yaml_is_one_line(workdir: Path) -> None:
    (workdir / "config.yaml").write_text("a: [1\nb: 2")
    with pytest.raises(InputError, match=r"config\.yaml: is not YAML") as caught:
        read([workdir / "config.yaml"])
    assert "\n" not in str(caught.value)


def test_the_schema_file_is_the_schema(project: Path) -> None:
    """`regen config schema --output config/schema.json` writes it again."""
    assert dumps(read_json(project / "config/schema.json")) == dumps(json_schema())


def test_dvc_yaml_is_what_the_configuration_says(project: Path) -> None:
    """`regen dvc` writes it again."""
    text = (project / "dvc.yaml").read_text()
    assert text == dvc_yaml(Chain(check(configuration(project))))


def test_every_field_is_explained() -> None:
    schema = json_schema()
    for name, model in [("Config", schema), *schema["$defs"].items()]:
        for field, described in model.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field} has no description"


def test_every_parameter_reaches_dvc(project: Path) -> None:
    """Changing a parameter of any job changes a key that its DVC stage watches.

    Otherwise `dvc repro` would take a stale result for a fresh one.
    """
    chain = Chain(check(configuration(project)))
    stages = yaml.safe_load(dvc_yaml(chain))["stages"]
    changes = {
        f"{LORA}.lora.r=4": "training-speech",
        f"{LORA}.optimisation.learning_rate=0.5": "training-speech",
        "studies.speech.items.train=50": "training-speech",
        "studies.speech.items.test=50": "prediction-speech",
        "studies.speech.variants.lora.decoding.temperature=0.5": "prediction-speech",
        "studies.speech.labels.lora.method=LoRa": "tables-speech",
        "datasets.speech.seed=8": "data-speech",
        "models.tiny-audio.seed=8": "models-tiny-audio",
        "title=Other": "paper",
    }
    for change, stage in changes.items():
        after = Chain(check(configuration(project, change)))
        stale = {out for out, job in chain.jobs.items() if after.jobs[out].params != job.params}
        assert stale, change
        keys = stages[stage]["params"][0]["config.yaml"]
        assert any(change.startswith(key) for key in keys), (change, keys)


def test_the_tiny_models_defaults_are_the_schemas() -> None:
    from regen.models.tiny_audio import ARCHITECTURE, PRETRAINING
    from regen.schema.foundation import TinyAudioArchitecture, TinyAudioPretraining

    assert TinyAudioArchitecture().model_dump() == ARCHITECTURE
    assert TinyAudioPretraining().model_dump() == PRETRAINING


GENERATE = "studies.speech.variants.base-generate"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (f"{GENERATE}.shots=2", "base and base-generate differ in shots"),
        (f"{GENERATE}.decoding.mode=options", "decoding modes options and generate"),
        (f"{GENERATE}.decoding.batch_size=4", "differ in decoding.batch_size"),
        (f"{GENERATE}.training=lora", "differ in training"),
        ("studies.speech.agreement=[[majority, base-generate]]", "a trivial baseline has one path"),
        ("studies.speech.agreement=[[base, base-generat]]", "did you mean 'base-generate'"),
        ("studies.speech.reference=base-generate", "no variant with a row in the table"),
        ("studies.speech.variants.majority.shots=2", "neither shots nor a base"),
        ("studies.speech.variants.lora.base=tiny-audio", "leave out base"),
        ("studies.speech.variants.base-few-shot.base=tiny-adio", "did you mean 'tiny-audio'"),
        ("models.q={id: a/b}", r"models\.q\.builder: is missing; add it"),
        ("models.q={builder: hubb}", r"models\.q\.builder: there is no 'hubb'; there are:"),
        (
            "models.q={builder: hub, id: a/b, revision: main}",
            r"models\.q\.revision: string should match",
        ),
        (
            "models.q={builder: hub, id: a/b, revison: null, revision: null}",
            r"models\.q\.revison: unknown key; did you mean 'revision'",
        ),
    ],
)
def test_what_is_asked_twice_and_what_comes_from_the_hub_is_checked(
    project: Path, change: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as error:
        check(configuration(project, change))
    assert "\n" not in str(error.value)


def test_a_variant_without_a_row_is_asked_and_compared_but_in_no_table(project: Path) -> None:
    chain = Chain(check(configuration(project)))
    asked = chain.job("prediction", study="speech", variant="base-generate", run="base",
                      split="test")  # fmt: skip
    assert asked.params["decoding"]["mode"] == "generate"
    compared = chain.job("agreement", study="speech", variant="base-generate")
    assert [i.folder for i in compared.inputs["generated"]] == [asked.out]
    for stage in ("scoring", "statistics", "figures"):
        for job in chain.of_stage(stage):
            assert "base-generate" not in str((job.params, job.out, job.all_inputs()))
    assert "base-generate" not in chain.job("tables", study="speech").params["variants"]


def test_shots_come_from_the_training_items_of_the_study(project: Path) -> None:
    chain = Chain(check(configuration(project)))
    study = chain.config.studies["speech"]
    for job in chain.of_stage("prediction", "speech"):
        shots = study.variants.get(job.wildcards["variant"])
        wanted = shots.shots if shots else 0
        assert job.params.get("shots", 0) == wanted
        if wanted:
            assert job.params["train_limit"] == study.items.train


def test_a_model_of_the_hub_is_one_small_file_and_needs_no_data(project: Path) -> None:
    chain = Chain(check(read([project / "config.yaml", project / "config/paper.yaml"])))
    job = chain.job("models", base="qwen2-audio-7b")
    assert job.outputs == ("hub.json",) and not job.inputs
    assert job.params["revision"] is None  # no revision is made up
    omni = chain.job("prediction", study="speech", variant="qwen3-omni", run="base", split="test")
    assert omni.inputs["base"].folder == "models/qwen3-omni-30b"

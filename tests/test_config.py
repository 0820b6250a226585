"""The configuration: what is refused, in which words, and what reaches a job."""

import re
from pathlib import Path

import pytest
import yaml

from regen.benchmarks.registry import get_benchmark, list_benchmarks, register_file
from regen.chain import Chain
from regen.code import code_of
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
SERVER = '{kind: endpoint, url: "http://localhost:8000/v1", model: M}'


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
        ("studies.traits.base=minilm", ["studies.traits.base", "no language model 'minilm'"]),
        (
            "studies.traits.variants.base-few-shot.shots=41",
            ["base-few-shot.shots: 41", "items.train"],
        ),
        ("studies.qa.answers.pairs=[[qlora, qlora]]", ["pairs", "compared with itself"]),
        ("studies.qa.answers.ranking=[overlap, overlap]", ["ranking", "twice"]),
        ("datasets.traits.traits=[fillers, fillers]", ["traits", "twice"]),
        (
            "datasets.traits.traits=[fillers, persuasiveness, empathy]",
            ["datasets.traits", "no rule scores persuasiveness and empathy; set it to endpoint"],
        ),
        (
            f"datasets.traits={{traits: [empathy], labeller: {SERVER}}}",
            ["datasets.traits", "augmenter.kind: no rule changes empathy", "augmented to 0"],
        ),
        ("studies.qa.variants.base-sampled.decoding.top_k=-1", ["decoding.top_k", "equal to 0"]),
        ("studies.replies.labels.written-4={model: M}", ["no variant or training 'written-4'"]),
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
        ("studies.speech.prompt_searches.base-opro.training=lorra", ["training", "'lora'"]),
        ("studies.speech.prompt_searches.base-opro.checkpoint=42", ["checkpoint", "has none"]),
        ("studies.speech.prompt_searches.lora-mlp-opro.checkpoint=7", ["checkpoint", "7"]),
        ("studies.speech.prompt_searches.base-opro.evaluations=3", ["evaluations", "6 named"]),
        ("studies.speech.prompt_searches.base-opro.proposer.model=smol", ["model", "smollm2"]),
        ("studies.speech.prompt_searches.base-random.budget_of=base-random", ["budget_of"]),
        ("studies.speech.prompt_searches.base-opro.proposer.kind=chance", ["proposer"]),
        ("studies.speech.variants.base-opro.prompt.search=base-orpo", ["search", "'base-opro'"]),
        ("studies.speech.variants.lora.prompt=basline", ["prompt", "'baseline'"]),
        ("studies.speech.selections.rank.metric=acuracy", ["metric", "did you mean 'accuracy'"]),
        ("studies.speech.selections.targets.seed=7", ["selections.targets.seed", "7"]),
        (
            "studies.speech.variants.base.decoding.temperature=0.7",
            ["studies.speech.variants.base.decoding.temperature", "logits", "mode: generate"],
        ),
        (
            "studies.qa.variants.base.decoding.constrained=true",
            ["studies.qa.variants.base.decoding.constrained", "benchmark qa", "leave it out"],
        ),
        ("studies=3", ["studies", "valid dictionary"]),
        ("models=3", ["models", "valid dictionary"]),
        ("studies.qa.base=[smollm2]", ["studies.qa.base", "valid string"]),
        ("studies.qa.dataset=math", ["qa.dataset: math", "benchmark qa", "builder qa or own"]),
        ("studies.math.benchmark=gsm8k", ["math.dataset: math", "gsm8k", "of builder own"]),
        ("models.tiny-math.dataset=qa", ["models.tiny-math.dataset", "benchmark math"]),
        ("models.tiny-math.benchmark=mth", ["models.tiny-math.benchmark", "'math'"]),
    ],
)
def test_a_mistake_is_one_clear_line(project: Path, change: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        check(configuration(project, change))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_every_benchmark_of_the_package_says_whose_rows_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("regen.benchmarks.registry._registered", {})
    builders = {
        kind["properties"]["builder"]["const"]
        for name, kind in json_schema()["$defs"].items()
        if name.endswith("Data")
    }
    found = {name: get_benchmark(name).builders for name in list_benchmarks()}
    assert all(found.values())
    assert {builder for some in found.values() for builder in some} == builders


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], ["studies.mine.dataset: datasets.replies is null at scale smoke", "mine: null"]),
        (
            ["studies.mine.dataset=replies-smoke"],
            ["studies.mine.base: models.tiny-replies is null"],
        ),
        (["studies.mine=null", "studies.qa=null"], ["studies.decisions.trainings_of: studies.qa"]),
    ],
)
def test_a_study_that_names_what_a_scale_takes_out(
    project: Path, changes: list[str], words: list[str]
) -> None:
    """A new study of config.yaml, which the overlays do not know."""
    mine = dumps(configuration(project)["studies"]["replies"], indent=None)
    with pytest.raises(InputError) as error:
        check(configuration(project, f"studies.mine={mine}", *changes, overlays=("smoke",)))
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), error.value


def test_the_readmes_study_is_one_at_both_scales(project: Path, workdir: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (project / "README.md").read_text(), re.S)
    study, smoke = (block for block in blocks if block.startswith("studies:"))
    (workdir / "study.yaml").write_text(study)
    (workdir / "smoke.yaml").write_text(smoke)
    files = [project / "config.yaml", workdir / "study.yaml"]
    assert Chain(check(read(files))).of_stage("tables", "mine")
    files += [project / "config/smoke.yaml", workdir / "smoke.yaml"]
    chain = Chain(check(read(files)))
    asked = [one.folder for job in chain.of_stage("prediction", "mine") for one in job.all_inputs()]
    assert asked and not [f for f in asked if f and f.startswith(("data/", "models/"))
                          and not f.endswith("-smoke")]  # fmt: skip


def test_a_benchmark_of_ones_own_reads_the_rows_of_any_builder(
    project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regen.benchmarks.registry._registered", {})
    (workdir / "mine.py").write_text(
        "from regen.benchmarks.qa import Qa\nclass Mine(Qa):\n    name = 'mine'\n"
    )
    register_file(workdir / "mine.py")
    check(configuration(project, "studies.qa.benchmark=mine"))
    own = "datasets.own={builder: own, benchmark: qa, files: {train: a.csv}, sizes: {train: 80, dev: 40, test: 40}}"  # noqa: E501
    check(configuration(project, own, "studies.qa.dataset=own"))


def test_the_progress_of_every_rule_is_told(project: Path) -> None:
    from snakemake_logger_plugin_regen import STAGE_OF_RULE

    text = "".join(path.read_text() for path in sorted((project / "rules").glob("*.smk")))
    rules = re.findall(r"^rule (\w+):(.*?)(?=^rule |\Z)", text, re.M | re.S)
    assert {name for name, body in rules if "regen " in body} == set(STAGE_OF_RULE)


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


QUIZ = """
from regen.benchmarks.decisions import Decisions


class Quiz(Decisions):
    name = "quiz"
    system = "{}"
"""


@pytest.fixture
def quiz(project: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A configuration whose study `decisions` asks a benchmark of one's own."""
    monkeypatch.setattr("regen.benchmarks.registry._registered", {})
    (workdir / "mine").mkdir()
    (workdir / "mine/quiz.py").write_text(QUIZ.format("one"))
    return configuration(
        project, "benchmark_files=[mine/quiz.py]", "studies.decisions.benchmark=quiz"
    )


def test_a_study_asks_a_benchmark_of_ones_own(quiz: dict, workdir: Path) -> None:
    """Its file is code of the stages that read it, of no other, and DVC watches it."""

    def code() -> dict[str, dict[str, str]]:
        return {out: code_of((job.function.partition(":")[0], *job.code))
                for out, job in Chain(check(quiz)).jobs.items()}  # fmt: skip

    before = code()
    (workdir / "mine/quiz.py").write_text(QUIZ.format("one") + "# a comment\n")
    assert code() == before
    (workdir / "mine/quiz.py").write_text(QUIZ.format("two"))
    changed = {out for out, found in code().items() if found != before[out]}
    assert "regen.benchmarks.decisions" in before[min(changed)], "what it imports counts"
    assert {Path(out).parts[2] for out in changed} == {"decisions"}
    assert {Path(out).parts[3] for out in changed} >= {"predictions", "scores"}
    stages = yaml.safe_load(dvc_yaml(Chain(check(quiz))))["stages"]
    watching = {name for name, stage in stages.items() if "mine/quiz.py" in stage["deps"]}
    assert {"prediction-decisions", "scoring-decisions"} <= watching
    assert all(name.endswith("-decisions") for name in watching)


def test_a_benchmark_file_that_cannot_serve_is_one_line(quiz: dict, workdir: Path) -> None:
    with pytest.raises(InputError, match=r"mine/other\.py: is no Python file"):
        check(quiz | {"benchmark_files": ["mine/other.py"]})
    with pytest.raises(InputError, match="outside the project"):
        check(quiz | {"benchmark_files": ["../other.py"]})
    (workdir / "mine/other.py").write_text(QUIZ.replace('"quiz"', '"qa"'))
    with pytest.raises(InputError, match="qa is a benchmark of the package; rename yours"):
        check(quiz | {"benchmark_files": ["mine/other.py"]})
    quiz["studies"]["math"]["benchmark"] = "quiz"
    quiz["studies"]["math"]["trainings"]["sft"]["optimisation"]["processes"] = 2
    quiz["resources"] = {"default": {"gpu": 2}}
    with pytest.raises(InputError, match=r"math\.trainings\.sft\.optimisation\.processes: .*quiz"):
        check(quiz)


def test_a_key_stands_once_in_a_mapping(workdir: Path) -> None:
    file = workdir / "config.yaml"
    file.write_text("{[1, 2]: 3}")
    with pytest.raises(InputError, match="is not YAML"):
        read([file])
    file.write_text("a: {b: &b {<<: &a {x: 1}, x: 2}}\nc: {<<: *b, x: 4}\n")
    assert read([file]) == {"a": {"b": {"x": 2}}, "c": {"x": 4}}
    file.write_text("a: {x: 1}\nb: 2\na: {y: 1}\n")
    with pytest.raises(InputError, match=r"config\.yaml: line 3: a stands there a second time"):
        read([file])


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


def test_every_key_that_dvc_watches_is_there(project: Path) -> None:
    """DVC commits no stage with a key that config.yaml lacks."""
    written = configuration(project)
    for name, stage in yaml.safe_load((project / "dvc.yaml").read_text())["stages"].items():
        for key in stage["params"][0]["config.yaml"]:
            value: object = written
            for part in key.split("."):
                assert isinstance(value, dict) and part in value, (name, key)
                value = value[part]


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
        "studies.speech.variants.lora.decoding.batch_size=7": "prediction-speech",
        "studies.speech.labels.lora.method=LoRa": "tables-speech",
        "studies.speech.prompt_searches.base-random.seed=8": "prompts-speech",
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
    from regen.schema.models import TinyAudioArchitecture, TinyAudioPretraining

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


def test_a_search_can_be_with_another_base_than_the_studys(project: Path) -> None:
    chain = Chain(check(configuration(project, overlays=("paper",))))
    job = chain.job("prompts", study="speech", search="omni-opro")
    assert job.inputs["base"].folder == "models/qwen3-omni-30b"
    search = "studies.speech.prompt_searches"
    with pytest.raises(InputError, match=r"omni-opro.base: there is no language model 'omni'"):
        check(configuration(project, f"{search}.omni-opro.base=omni", overlays=("paper",)))
    with pytest.raises(InputError, match="leave out base"):
        check(configuration(project, f"{search}.lora-mlp-opro.base=tiny-audio"))


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


BORROWING = (
    "studies.more.title=More",
    "studies.more.benchmark=speech",
    "studies.more.dataset=speech",
    "studies.more.items={train: 8, dev: 8, test: 8}",
    "studies.more.base=tiny-audio",
    "studies.more.seeds=[42, 123]",
    "studies.more.reference=base",
    "studies.more.trainings_of=speech",
    "studies.more.variants={base: {}, tuned: {training: lora}}",
    "studies.more.labels={base: {model: Base}, tuned: {model: Tuned}}",
    "studies.more.comparisons=[]",
    "studies.more.facets=[]",
    "studies.more.figures=[]",
)


def test_a_study_can_use_the_checkpoints_of_another(project: Path) -> None:
    chain = Chain(check(configuration(project, *BORROWING)))
    assert chain.of_stage("training", "more") == []
    asked = chain.job("prediction", study="more", variant="tuned", run="seed-123", split="test")
    assert asked.inputs["adapter"].folder == "results/embedded/speech/checkpoints/lora/seed-123"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("studies.more.trainings_of=speach", ["trainings_of", "did you mean 'speech'"]),
        ("studies.more.seeds=[42, 7]", ["studies.more.seeds", "7", "speech"]),
        ("studies.more.base=smollm2", ["studies.more.base", "tiny-audio"]),
        ("studies.more.variants.tuned.training=lorra", ["more.variants.tuned", "'lora'"]),
        ("studies.more.trainings={own: {}}", ["no trainings", "of its own"]),
        ("studies.more.variants.tuned.epoch=1", ["epoch", "keep_epochs"]),
    ],
)
def test_what_cannot_be_borrowed_is_one_line(project: Path, change: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        check(configuration(project, *BORROWING, change))
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


def test_an_epochs_adapter_is_a_part_of_the_checkpoint(project: Path) -> None:
    how = "studies.speech.trainings.lora.optimisation"
    asked = "studies.speech.variants.early={training: lora, epoch: 2}"
    named = "studies.speech.labels.early={model: Early}"
    kept = configuration(project, f"{how}.keep_epochs=true", asked, named)
    chain = Chain(check(kept))
    job = chain.job("prediction", study="speech", variant="early", run="seed-42", split="test")
    folder = "results/embedded/speech/checkpoints/lora/seed-42"
    assert job.inputs["adapter"].path == f"{folder}/epoch-2"
    assert chain.jobs[folder].beside == ("epoch-1", "epoch-2", "epoch-3")
    with pytest.raises(InputError, match="epoch: 9, but training lora has 4"):
        check(configuration(project, f"{how}.keep_epochs=true", asked.replace("2}", "9}"), named))
    with pytest.raises(InputError, match="leave out max_steps"):
        check(configuration(project, f"{how}.keep_epochs=true", f"{how}.max_steps=3"))


def test_a_study_can_ask_for_resources_of_its_own(project: Path) -> None:
    config = check(configuration(project, "studies.speech.resources.training={threads: 2}"))
    assert config.resources_of("training", "speech").threads == 2
    assert config.resources_of("training").threads == 1
    with pytest.raises(InputError, match="did you mean 'training'"):
        check(configuration(project, "studies.speech.resources.trainign={threads: 2}"))


def test_a_recipe_is_called_as_after_all_its_epochs(project: Path) -> None:
    """Its cost is that of all of them, also where an earlier variant answers after one."""
    of = Chain(check(configuration(project)))
    assert next(iter(of.config.studies["traits"].variants)) != "qlora"
    called = of.job("tables", study="traits").params["called"]["trainings"]
    assert called == {"qlora": "QLoRA (epoch 3)"}


def test_an_overlay_takes_a_sweep_out(project: Path) -> None:
    assert check(configuration(project)).studies["math"].sweeps
    assert (
        not check(configuration(project, "studies.math.sweeps.warm-start=null"))
        .studies["math"]
        .sweeps
    )


def test_a_base_model_can_ask_for_resources_of_its_own(project: Path) -> None:
    """In every study, and before what a study asks for."""
    large = "model_resources.smollm2-nf4={prediction: {gpu: 1}, models: {mem_mb: 9000}}"
    of = Chain(check(configuration(project, large)))
    asked = {"variant": "base", "run": "base", "split": "test"}
    assert of.config.studies["qa"].resources["prediction"].gpu == 0
    assert of.resources_of(of.job("prediction", study="qa", **asked)).gpu == 1
    assert of.resources_of(of.job("prediction", study="retention", **asked)).gpu == 1
    assert of.resources_of(of.job("prediction", study="traits", **asked)).gpu == 0  # of smollm2
    assert of.resources_of(of.job("prediction", study="speech", **asked)).gpu == 0
    assert of.resources_of(of.job("models", base="smollm2-nf4")).mem_mb == 9000
    assert of.resources_of(of.job("training", study="qa", training="qlora", seed="42")).gpu == 0
    for wrong, meant in (("smollm2-nf", "smollm2-nf4"), ("smolm2", "smollm2")):
        with pytest.raises(InputError, match=f"did you mean '{meant}'"):
            check(configuration(project, large.replace("smollm2-nf4", wrong)))
    with pytest.raises(InputError, match="did you mean 'prediction'"):
        check(configuration(project, large.replace("prediction", "predicton")))


def test_a_base_in_four_bits_stands_for_another(project: Path) -> None:
    four = "models.small={builder: quantised, of: smollm2}"
    job = Chain(check(configuration(project, four))).job("models", base="small")
    assert job.outputs == ("held.json",)
    assert job.inputs["of"].folder == "models/smollm2"
    with pytest.raises(InputError, match="did you mean 'smollm2'"):
        check(configuration(project, four.replace("smollm2", "smolm2")))
    with pytest.raises(InputError, match="not quantised itself"):
        check(configuration(project, four, "models.less={builder: quantised, of: small}"))


def test_the_text_names_the_models_of_each_scale(project: Path) -> None:
    r"""What \model{...} and \where{...} say follows the configuration."""
    from regen.described import described, holds, questions

    asked = {}
    for scale in ("embedded", "small", "paper", "smoke"):
        overlay = [] if scale == "embedded" else [project / f"config/{scale}.yaml"]
        config = check(read([project / "config.yaml", *overlay]))
        asked[scale] = described(config), set(holds(config))
        assert asked[scale][1] <= questions(config.studies) | {f"scale/{scale}"}
    words, so = asked["embedded"]
    assert "Qwen2-Audio architecture, built by the workflow" in words["model/speech"]
    assert "math/base/tiny_llama" in so and "math/rewards/judged" not in so
    words, so = asked["paper"]
    assert words["model/qa"].startswith("Qwen2.5-3B-Instruct (Qwen/Qwen2.5-3B-Instruct), held in")
    assert words["model/speech/base-opro"] == "Qwen/Qwen3-8B, asked through a server,"
    assert words["data/math"] == "the data set openai/gsm8k"
    assert {"math/base/hub", "math/data/own", "math/rewards/judged", "qa/data/qa"} <= so
    assert "SmolLM2-135M" in asked["small"][0]["model/replies"]
    for scale in ("embedded", "small", "smoke"):
        assert {"traits/labels/rule", "traits/augmented/rule"} <= asked[scale][1]
    assert {"traits/labels/endpoint", "traits/augmented/endpoint"} <= so
    assert not {"traits/labels/rule", "traits/augmented/rule"} & so
    assert words["data/traits"] == (
        "the data set traits-llm, made by the workflow, with formality, persuasiveness, "
        "enthusiasm, empathy, fillers and transitions scored by Qwen/Qwen3-8B and further "
        "training items rewritten by Qwen/Qwen3-8B"
    )
    assert asked["small"][0]["data/traits"] == "the data set traits, made by the workflow"
    assert "mean nothing" in asked["smoke"][0]["model/math"]


def test_ruleless_traits_want_endpoints_and_no_augmenter_where_nothing_is_augmented(
    project: Path,
) -> None:
    ruleless = f"traits: [persuasiveness, empathy], labeller: {SERVER}"
    for rest in ("augmented: 0", f"augmenter: {SERVER}"):
        config = check(configuration(project, f"datasets.traits={{{ruleless}, {rest}}}"))
        params = Chain(config).job("data", dataset="traits").params
        assert params["labeller"]["model"] == "M"


def test_the_number_of_tokens_drawn_from_reaches_the_answers(
    project: Path,
) -> None:
    asked = {"study": "qa", "variant": "base-sampled", "run": "base", "split": "test"}
    few = configuration(project, "studies.qa.variants.base-sampled.decoding.top_k=7")
    for given, wanted in ((few, 7), (configuration(project), 0)):
        decoding = Chain(check(given)).job("prediction", **asked).params["decoding"]
        assert decoding["top_k"] == wanted

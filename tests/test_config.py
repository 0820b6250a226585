"""The configuration: what is refused, and in which words."""

import re
from pathlib import Path

import pytest
import yaml
from configurations import SERVER, configuration, overlays

from regen.benchmarks.registry import get_benchmark, list_benchmarks, register_file
from regen.chain import Chain
from regen.code import code_of
from regen.config import check, read
from regen.errors import InputError
from regen.files import dumps, read_json
from regen.schema import RESERVED, json_schema
from regen.versioning import dvc_yaml


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

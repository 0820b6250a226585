"""What a configuration comes to: the jobs of the chain, their inputs, parameters and resources."""

from pathlib import Path

import pytest
from configurations import SERVER, configuration

from regen.chain import Chain
from regen.config import check, read
from regen.errors import InputError


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

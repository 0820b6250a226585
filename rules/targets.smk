# What a user types beside `paper`: a stage's plural, a study's name, or any file.


rule data:
    input:
        plan.files("data"),


rule base_models:
    input:
        plan.files("models"),


rule checkpoints:
    input:
        plan.files("training"),


rule prompts:
    input:
        plan.files("prompts"),


rule predictions:
    input:
        plan.files("prediction"),


rule agreements:
    input:
        plan.files("agreement"),


rule scores:
    input:
        plan.files("scoring"),


rule selections:
    input:
        plan.files("selection"),


rule sweeps:
    input:
        plan.files("sweep"),


rule statistics:
    input:
        plan.files("statistics"),


rule tables:
    input:
        plan.files("tables"),


rule across:
    input:
        plan.files("simulation"),
        plan.files("appendix"),


rule figures:
    input:
        plan.files("figures"),


# The same by study or data set, under the names of DVC's stages: `snakemake prediction_speech`.
for target, files in plan.targets().items():

    rule:
        name:
            target
        input:
            files,


for study in plan.config.studies:

    rule:
        name:
            study
        input:
            plan.files("tables", study),
            plan.files("figures", study),
            plan.files("agreement", study),

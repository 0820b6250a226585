# Free text, read closer than by its means.


rule read_answers:
    input:
        check=plan.check("answers"),
        scores=plan.need("answers", "scores"),
        data=plan.need("answers", "data"),
    output:
        answers=update("results/{scale}/{study}/answers/answers.json"),
        cases=update(
            expand(
                "results/{{scale}}/{{study}}/answers/cases.{ending}",
                ending=("tex", "md", "csv", "json"),
            )
        ),
        content_id=update("results/{scale}/{study}/answers/outputs.sha256"),
        manifest=update("results/{scale}/{study}/answers/manifest.json"),
    log:
        "logs/{scale}/{study}/answers.log",
    benchmark:
        "benchmarks/{scale}/{study}/answers.tsv"
    threads: plan.ask("answers", "threads")
    resources:
        mem_mb=plan.ask("answers", "mem_mb"),
        runtime=plan.ask("answers", "runtime"),
        gpu=plan.ask("answers", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen answers --study {wildcards.study} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

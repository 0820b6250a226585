# The best of several trainings on the dev split, which later trainings read.


rule select:
    input:
        check=plan.check("selection"),
        scores=plan.need("selection", "scores"),
        summaries=plan.need("selection", "summaries"),
    output:
        selection=update("results/{scale}/{study}/selection/{selection}/selection.json"),
        content_id=update(
            "results/{scale}/{study}/selection/{selection}/outputs.sha256"
        ),
        manifest=update("results/{scale}/{study}/selection/{selection}/manifest.json"),
    log:
        "logs/{scale}/{study}/selection/{selection}.log",
    benchmark:
        "benchmarks/{scale}/{study}/selection/{selection}.tsv"
    threads: plan.ask("selection", "threads")
    resources:
        mem_mb=plan.ask("selection", "mem_mb"),
        runtime=plan.ask("selection", "runtime"),
        gpu=plan.ask("selection", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen select --study {wildcards.study} --selection {wildcards.selection} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

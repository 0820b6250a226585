# What each variant says to each item.


rule predict:
    input:
        check=plan.check("prediction"),
        data=plan.need("prediction", "data"),
        base=plan.need("prediction", "base"),
        adapter=plan.need("prediction", "adapter"),
        prompt_file=plan.need("prediction", "prompt_file"),
    output:
        predictions=update(
            "results/{scale}/{study}/predictions/{variant}/{run}/{split}/predictions.jsonl"
        ),
        timing=update(
            "results/{scale}/{study}/predictions/{variant}/{run}/{split}/timing.json"
        ),
        content_id=update(
            "results/{scale}/{study}/predictions/{variant}/{run}/{split}/outputs.sha256"
        ),
        manifest=update(
            "results/{scale}/{study}/predictions/{variant}/{run}/{split}/manifest.json"
        ),
    log:
        "logs/{scale}/{study}/predictions/{variant}/{run}/{split}.log",
    benchmark:
        "benchmarks/{scale}/{study}/predictions/{variant}/{run}/{split}.tsv"
    threads: plan.ask("prediction", "threads")
    resources:
        mem_mb=plan.ask("prediction", "mem_mb"),
        runtime=plan.ask("prediction", "runtime"),
        gpu=plan.ask("prediction", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen predict --study {wildcards.study} --variant {wildcards.variant} "
        "--run {wildcards.run} --split {wildcards.split} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

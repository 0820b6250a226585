# One adapter a recipe and seed.


rule train:
    input:
        check=plan.check("training"),
        base=plan.need("training", "base"),
        data=plan.need("training", "data"),
        selection=plan.need("training", "selection"),
        start=plan.need("training", "start"),
    output:
        adapter=update(
            "results/{scale}/{study}/checkpoints/{training}/seed-{seed}/adapter_model.safetensors"
        ),
        adapter_config=update(
            "results/{scale}/{study}/checkpoints/{training}/seed-{seed}/adapter_config.json"
        ),
        history=update(
            "results/{scale}/{study}/checkpoints/{training}/seed-{seed}/log.jsonl"
        ),
        summary=update(
            "results/{scale}/{study}/checkpoints/{training}/seed-{seed}/summary.json"
        ),
        timing=update(
            "results/{scale}/{study}/checkpoints/{training}/seed-{seed}/timing.json"
        ),
        content_id=update(
            "results/{scale}/{study}/checkpoints/{training}/seed-{seed}/outputs.sha256"
        ),
        manifest=update(
            "results/{scale}/{study}/checkpoints/{training}/seed-{seed}/manifest.json"
        ),
    log:
        "logs/{scale}/{study}/checkpoints/{training}/seed-{seed}.log",
    benchmark:
        "benchmarks/{scale}/{study}/checkpoints/{training}/seed-{seed}.tsv"
    threads: plan.ask("training", "threads")
    resources:
        mem_mb=plan.ask("training", "mem_mb"),
        runtime=plan.ask("training", "runtime"),
        gpu=plan.ask("training", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen train --study {wildcards.study} --training {wildcards.training} "
        "--seed {wildcards.seed} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

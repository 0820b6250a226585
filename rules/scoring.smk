# What each answer is worth.


rule score:
    input:
        check=plan.check("scoring"),
        predictions=plan.need("scoring", "predictions"),
        data=plan.need("scoring", "data"),
        encoder=plan.need("scoring", "encoder"),
        base=plan.need("scoring", "base"),
        dev=plan.need("scoring", "dev"),
    output:
        scored=update(
            "results/{scale}/{study}/scores/{variant}/{run}/{split}/items.jsonl"
        ),
        summary=update(
            "results/{scale}/{study}/scores/{variant}/{run}/{split}/summary.json"
        ),
        content_id=update(
            "results/{scale}/{study}/scores/{variant}/{run}/{split}/outputs.sha256"
        ),
        manifest=update(
            "results/{scale}/{study}/scores/{variant}/{run}/{split}/manifest.json"
        ),
    log:
        "logs/{scale}/{study}/scores/{variant}/{run}/{split}.log",
    benchmark:
        "benchmarks/{scale}/{study}/scores/{variant}/{run}/{split}.tsv"
    threads: plan.ask("scoring", "threads")
    resources:
        mem_mb=plan.ask("scoring", "mem_mb"),
        runtime=plan.ask("scoring", "runtime"),
        gpu=plan.ask("scoring", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen score --study {wildcards.study} --variant {wildcards.variant} "
        "--run {wildcards.run} --split {wildcards.split} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

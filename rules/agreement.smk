# Is a model's text what its logits say?


rule agree:
    input:
        check=plan.check("agreement"),
        options=plan.need("agreement", "options"),
        generated=plan.need("agreement", "generated"),
    output:
        agreement=update("results/{scale}/{study}/agreement/{variant}/agreement.json"),
        rows=update("results/{scale}/{study}/agreement/{variant}/items.jsonl"),
        timing=update("results/{scale}/{study}/agreement/{variant}/timing.json"),
        content_id=update("results/{scale}/{study}/agreement/{variant}/outputs.sha256"),
        manifest=update("results/{scale}/{study}/agreement/{variant}/manifest.json"),
    log:
        "logs/{scale}/{study}/agreement/{variant}.log",
    benchmark:
        "benchmarks/{scale}/{study}/agreement/{variant}.tsv"
    threads: plan.ask("agreement", "threads")
    resources:
        mem_mb=plan.ask("agreement", "mem_mb"),
        runtime=plan.ask("agreement", "runtime"),
        gpu=plan.ask("agreement", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen agreement --study {wildcards.study} --variant {wildcards.variant} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

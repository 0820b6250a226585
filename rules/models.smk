# Base models: built and pretrained by code, taken from a pinned package, or fetched at a pinned revision;
# and those that stand for another one, held in four bits.


rule build_model:
    input:
        check=plan.check("models"),
        data=plan.need("models", "data"),
        sources=plan.need("models", "sources"),
        of=plan.need("models", "of"),
    output:
        config=update("models/{base}/config.json"),
        weights=update("models/{base}/model.safetensors"),
        timing=update("models/{base}/timing.json"),
        content_id=update("models/{base}/outputs.sha256"),
        manifest=update("models/{base}/manifest.json"),
    log:
        "logs/models/{base}.log",
    benchmark:
        "benchmarks/models/{base}.tsv"
    wildcard_constraints:
        base=plan.names_of_models("model.safetensors"),
    threads: plan.ask("models", "threads")
    resources:
        mem_mb=plan.ask("models", "mem_mb"),
        runtime=plan.ask("models", "runtime"),
        gpu=plan.ask("models", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen base --model {wildcards.base} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"


rule fetch_model:
    input:
        check=plan.check("models"),
    output:
        reference=update("models/{base}/hub.json"),
        content_id=update("models/{base}/outputs.sha256"),
        manifest=update("models/{base}/manifest.json"),
    log:
        "logs/models/{base}.log",
    benchmark:
        "benchmarks/models/{base}.tsv"
    wildcard_constraints:
        base=plan.names_of_models("hub.json"),
    threads: plan.ask("models", "threads")
    resources:
        mem_mb=plan.ask("models", "mem_mb"),
        runtime=plan.ask("models", "runtime"),
        gpu=plan.ask("models", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen base --model {wildcards.base} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"


rule quantise_model:
    input:
        check=plan.check("models"),
        of=plan.need("models", "of"),
    output:
        reference=update("models/{base}/held.json"),
        content_id=update("models/{base}/outputs.sha256"),
        manifest=update("models/{base}/manifest.json"),
    log:
        "logs/models/{base}.log",
    benchmark:
        "benchmarks/models/{base}.tsv"
    wildcard_constraints:
        base=plan.names_of_models("held.json"),
    threads: plan.ask("models", "threads")
    resources:
        mem_mb=plan.ask("models", "mem_mb"),
        runtime=plan.ask("models", "runtime"),
        gpu=plan.ask("models", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen base --model {wildcards.base} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

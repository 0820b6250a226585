# Pinned packages in, data sets out.


rule fetch_sources:
    input:
        check=plan.check("sources"),
        requirements=plan.need("sources", "requirements"),
    output:
        packages=update("data/sources/{dataset}/packages.json"),
        content_id=update("data/sources/{dataset}/outputs.sha256"),
        manifest=update("data/sources/{dataset}/manifest.json"),
    log:
        "logs/data/sources/{dataset}.log",
    benchmark:
        "benchmarks/data/sources/{dataset}.tsv"
    threads: plan.ask("sources", "threads")
    resources:
        mem_mb=plan.ask("sources", "mem_mb"),
        runtime=plan.ask("sources", "runtime"),
        gpu=plan.ask("sources", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen sources --dataset {wildcards.dataset} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"


rule build_data:
    input:
        check=plan.check("data"),
        sources=plan.need("data", "sources"),
        apart_from=plan.need("data", "apart_from"),
        files=plan.need("data", "files"),
        audio=plan.need("data", "audio"),
    output:
        train=update("data/{dataset}/train.jsonl"),
        dev=update("data/{dataset}/dev.jsonl"),
        test=update("data/{dataset}/test.jsonl"),
        card=update("data/{dataset}/card.json"),
        content_id=update("data/{dataset}/outputs.sha256"),
        manifest=update("data/{dataset}/manifest.json"),
    log:
        "logs/data/{dataset}.log",
    benchmark:
        "benchmarks/data/{dataset}.tsv"
    threads: plan.ask("data", "threads")
    resources:
        mem_mb=plan.ask("data", "mem_mb"),
        runtime=plan.ask("data", "runtime"),
        gpu=plan.ask("data", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen data --dataset {wildcards.dataset} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

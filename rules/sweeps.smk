# Learning rates and ranks, looked at on the dev split; a run that fails stops no other.


rule sweep:
    input:
        check=plan.check("sweep"),
        base=plan.need("sweep", "base"),
        data=plan.need("sweep", "data"),
        encoder=plan.need("sweep", "encoder"),
    output:
        outcome=update("results/{scale}/{study}/sweeps/{sweep}/{point}/outcome.json"),
        log=update("results/{scale}/{study}/sweeps/{sweep}/{point}/log.jsonl"),
        rows=update("results/{scale}/{study}/sweeps/{sweep}/{point}/items.jsonl"),
        content_id=update(
            "results/{scale}/{study}/sweeps/{sweep}/{point}/outputs.sha256"
        ),
        manifest=update("results/{scale}/{study}/sweeps/{sweep}/{point}/manifest.json"),
    log:
        "logs/{scale}/{study}/sweeps/{sweep}/{point}.log",
    benchmark:
        "benchmarks/{scale}/{study}/sweeps/{sweep}/{point}.tsv"
    threads: plan.ask("sweep", "threads")
    resources:
        mem_mb=plan.ask("sweep", "mem_mb"),
        runtime=plan.ask("sweep", "runtime"),
        gpu=plan.ask("sweep", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen sweep --study {wildcards.study} --sweep {wildcards.sweep} "
        "--point {wildcards.point} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

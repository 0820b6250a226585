# Several answers to one item: pass@k, changes against a reference, a declared rule's verdict.


rule compare_sets:
    input:
        check=plan.check("sets"),
        scores=plan.need("sets", "scores"),
        dev=plan.need("sets", "dev"),
        checkpoints=plan.need("sets", "checkpoints"),
    output:
        sets=update("results/{scale}/{study}/sets/sets.json"),
        content_id=update("results/{scale}/{study}/sets/outputs.sha256"),
        manifest=update("results/{scale}/{study}/sets/manifest.json"),
    log:
        "logs/{scale}/{study}/sets.log",
    benchmark:
        "benchmarks/{scale}/{study}/sets.tsv"
    threads: plan.ask("sets", "threads")
    resources:
        mem_mb=plan.ask("sets", "mem_mb"),
        runtime=plan.ask("sets", "runtime"),
        gpu=plan.ask("sets", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen sets --study {wildcards.study} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

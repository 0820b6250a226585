# Means, intervals and tests over seeds and items.


rule analyze:
    input:
        check=plan.check("statistics"),
        scores=plan.need("statistics", "scores"),
    output:
        variants=update("results/{scale}/{study}/statistics/variants.json"),
        comparisons=update("results/{scale}/{study}/statistics/comparisons.json"),
        facets=update("results/{scale}/{study}/statistics/facets.json"),
        common=update("results/{scale}/{study}/statistics/common.json"),
        failures=update("results/{scale}/{study}/statistics/failures.json"),
        metrics=update("results/{scale}/{study}/statistics/metrics.json"),
        content_id=update("results/{scale}/{study}/statistics/outputs.sha256"),
        manifest=update("results/{scale}/{study}/statistics/manifest.json"),
    log:
        "logs/{scale}/{study}/statistics.log",
    benchmark:
        "benchmarks/{scale}/{study}/statistics.tsv"
    threads: plan.ask("statistics", "threads")
    resources:
        mem_mb=plan.ask("statistics", "mem_mb"),
        runtime=plan.ask("statistics", "runtime"),
        gpu=plan.ask("statistics", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen statistics --study {wildcards.study} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

# Tables whose cells know what they were computed from.


rule tabulate:
    input:
        check=plan.check("tables"),
        statistics=plan.need("tables", "statistics"),
    output:
        tex=update("results/{scale}/{study}/tables/comparison.tex"),
        markdown=update("results/{scale}/{study}/tables/comparison.md"),
        csv=update("results/{scale}/{study}/tables/comparison.csv"),
        cells=update("results/{scale}/{study}/tables/comparison.json"),
        content_id=update("results/{scale}/{study}/tables/outputs.sha256"),
        manifest=update("results/{scale}/{study}/tables/manifest.json"),
    log:
        "logs/{scale}/{study}/tables.log",
    benchmark:
        "benchmarks/{scale}/{study}/tables.tsv"
    threads: plan.ask("tables", "threads")
    resources:
        mem_mb=plan.ask("tables", "mem_mb"),
        runtime=plan.ask("tables", "runtime"),
        gpu=plan.ask("tables", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen table --study {wildcards.study} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

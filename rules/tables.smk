# Tables whose cells know what they were computed from.


rule tabulate:
    input:
        check=plan.check("tables"),
        statistics=plan.need("tables", "statistics"),
    output:
        comparison_tex=update("results/{scale}/{study}/tables/comparison.tex"),
        comparison_md=update("results/{scale}/{study}/tables/comparison.md"),
        comparison_csv=report(
            update("results/{scale}/{study}/tables/comparison.csv"),
            category="tables",
            labels={"study": "{study}", "table": "comparison"},
        ),
        comparison_json=update("results/{scale}/{study}/tables/comparison.json"),
        tests_tex=update("results/{scale}/{study}/tables/tests.tex"),
        tests_md=update("results/{scale}/{study}/tables/tests.md"),
        tests_csv=report(
            update("results/{scale}/{study}/tables/tests.csv"),
            category="tables",
            labels={"study": "{study}", "table": "tests"},
        ),
        tests_json=update("results/{scale}/{study}/tables/tests.json"),
        per_seed_tex=update("results/{scale}/{study}/tables/per-seed.tex"),
        per_seed_md=update("results/{scale}/{study}/tables/per-seed.md"),
        per_seed_csv=report(
            update("results/{scale}/{study}/tables/per-seed.csv"),
            category="tables",
            labels={"study": "{study}", "table": "per-seed"},
        ),
        per_seed_json=update("results/{scale}/{study}/tables/per-seed.json"),
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

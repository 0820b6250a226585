# Tables whose cells know what they were computed from.


rule tabulate:
    input:
        check=plan.check("tables"),
        statistics=plan.need("tables", "statistics"),
        selections=plan.need("tables", "selections"),
        agreements=plan.need("tables", "agreements"),
        checkpoints=plan.need("tables", "checkpoints"),
        calibrations=plan.need("tables", "calibrations"),
        thresholds=plan.need("tables", "thresholds"),
        answers=plan.need("tables", "answers"),
        sets=plan.need("tables", "sets"),
        sweeps=plan.need("tables", "sweeps"),
        searches=plan.need("tables", "searches"),
    output:
        csv=report(
            update(
                expand("results/{{scale}}/{{study}}/tables/{table}.csv", table=TABLES)
            ),
            category="tables",
            labels={"study": "{study}"},
        ),
        tex=update(
            expand("results/{{scale}}/{{study}}/tables/{table}.tex", table=TABLES)
        ),
        md=update(expand("results/{{scale}}/{{study}}/tables/{table}.md", table=TABLES)),
        json=update(
            expand("results/{{scale}}/{{study}}/tables/{table}.json", table=TABLES)
        ),
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

# What spans the studies: how often the tests err, and the appendix on it.


rule simulate:
    input:
        check=plan.check("simulation"),
    output:
        simulation=update("results/{scale}/across/simulation/simulation.json"),
        content_id=update("results/{scale}/across/simulation/outputs.sha256"),
        manifest=update("results/{scale}/across/simulation/manifest.json"),
    log:
        "logs/{scale}/across/simulation.log",
    benchmark:
        "benchmarks/{scale}/across/simulation.tsv"
    threads: plan.ask("simulation", "threads")
    resources:
        mem_mb=plan.ask("simulation", "mem_mb"),
        runtime=plan.ask("simulation", "runtime"),
        gpu=plan.ask("simulation", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen simulate --configfile {params.configfile} {params.force} > {log} 2>&1"


rule tabulate_appendix:
    input:
        check=plan.check("appendix"),
        simulation=plan.need("appendix", "simulation"),
        reported=plan.need("appendix", "reported"),
    output:
        tables=update(
            expand(
                "results/{{scale}}/across/tables/{table}.{ending}",
                table=[
                    "type-i-error",
                    "tests-to-avoid",
                    "mcnemar",
                    "coverage",
                    "audit",
                ],
                ending=["tex", "md", "csv", "json"],
            )
        ),
        findings=update("results/{scale}/across/tables/findings.json"),
        content_id=update("results/{scale}/across/tables/outputs.sha256"),
        manifest=update("results/{scale}/across/tables/manifest.json"),
    log:
        "logs/{scale}/across/tables.log",
    benchmark:
        "benchmarks/{scale}/across/tables.tsv"
    threads: plan.ask("appendix", "threads")
    resources:
        mem_mb=plan.ask("appendix", "mem_mb"),
        runtime=plan.ask("appendix", "runtime"),
        gpu=plan.ask("appendix", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen appendix --configfile {params.configfile} {params.force} > {log} 2>&1"

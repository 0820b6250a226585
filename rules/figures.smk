# Figures, with the plotted numbers beside them.


rule plot:
    input:
        check=plan.check("figures"),
        statistics=plan.need("figures", "statistics"),
        calibrations=plan.need("figures", "calibrations"),
        selection=plan.need("figures", "selection"),
        histories=plan.need("figures", "histories"),
        found=plan.need("figures", "found"),
        sets=plan.need("figures", "sets"),
        logs=plan.need("figures", "logs"),
    output:
        data=update("results/{scale}/{study}/figures/{figure}/{figure}.json"),
        pdf=update("results/{scale}/{study}/figures/{figure}/{figure}.pdf"),
        png=report(
            update("results/{scale}/{study}/figures/{figure}/{figure}.png"),
            category="figures",
            labels={"study": "{study}", "figure": "{figure}"},
        ),
        content_id=update("results/{scale}/{study}/figures/{figure}/outputs.sha256"),
        manifest=update("results/{scale}/{study}/figures/{figure}/manifest.json"),
    log:
        "logs/{scale}/{study}/figures/{figure}.log",
    benchmark:
        "benchmarks/{scale}/{study}/figures/{figure}.tsv"
    threads: plan.ask("figures", "threads")
    resources:
        mem_mb=plan.ask("figures", "mem_mb"),
        runtime=plan.ask("figures", "runtime"),
        gpu=plan.ask("figures", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen figure --study {wildcards.study} --figure {wildcards.figure} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

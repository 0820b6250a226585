# The PDF, with every number from a generated macro.


rule compile_paper:
    input:
        check=plan.check("paper"),
        main=plan.need("paper", "main"),
        abstracts=plan.need("paper", "abstracts"),
        sections=plan.need("paper", "sections"),
        tables=plan.need("paper", "tables"),
        figures=plan.need("paper", "figures"),
        statistics=plan.need("paper", "statistics"),
        selections=plan.need("paper", "selections"),
        searches=plan.need("paper", "searches"),
        answers=plan.need("paper", "answers"),
        sets=plan.need("paper", "sets"),
        appendix=plan.need("paper", "appendix"),
        appendix_tables=plan.need("paper", "appendix_tables"),
        simulation=plan.need("paper", "simulation"),
    output:
        pdf=report(update("results/{scale}/paper/main.pdf"), category="paper"),
        macros=update("results/{scale}/paper/numbers.tex"),
        numbers=update("results/{scale}/paper/numbers.json"),
        content_id=update("results/{scale}/paper/outputs.sha256"),
        manifest=update("results/{scale}/paper/manifest.json"),
    log:
        "logs/{scale}/paper.log",
    benchmark:
        "benchmarks/{scale}/paper.tsv"
    threads: plan.ask("paper", "threads")
    resources:
        mem_mb=plan.ask("paper", "mem_mb"),
        runtime=plan.ask("paper", "runtime"),
        gpu=plan.ask("paper", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen paper " "--configfile {params.configfile} {params.force} > {log} 2>&1"

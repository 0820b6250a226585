# Searches on the dev split for better prompts, for a base or a frozen checkpoint.


rule optimise_prompt:
    input:
        check=plan.check("prompts"),
        data=plan.need("prompts", "data"),
        base=plan.need("prompts", "base"),
        adapter=plan.need("prompts", "adapter"),
        proposer_model=plan.need("prompts", "proposer_model"),
        budget_of=plan.need("prompts", "budget_of"),
    output:
        prompt=update("results/{scale}/{study}/prompts/{search}/prompt.json"),
        history=update("results/{scale}/{study}/prompts/{search}/history.jsonl"),
        timing=update("results/{scale}/{study}/prompts/{search}/timing.json"),
        content_id=update("results/{scale}/{study}/prompts/{search}/outputs.sha256"),
        manifest=update("results/{scale}/{study}/prompts/{search}/manifest.json"),
    log:
        "logs/{scale}/{study}/prompts/{search}.log",
    benchmark:
        "benchmarks/{scale}/{study}/prompts/{search}.tsv"
    threads: plan.ask("prompts", "threads")
    resources:
        mem_mb=plan.ask("prompts", "mem_mb"),
        runtime=plan.ask("prompts", "runtime"),
        gpu=plan.ask("prompts", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen optimize-prompt --study {wildcards.study} --search {wildcards.search} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

# Are the probabilities what they say, and from which stimulus on is an answer right?


rule calibrate:
    input:
        check=plan.check("calibration"),
        dev=plan.need("calibration", "dev"),
        test=plan.need("calibration", "test"),
    output:
        calibration=update(
            "results/{scale}/{study}/calibration/{variant}/calibration.json"
        ),
        content_id=update(
            "results/{scale}/{study}/calibration/{variant}/outputs.sha256"
        ),
        manifest=update("results/{scale}/{study}/calibration/{variant}/manifest.json"),
    log:
        "logs/{scale}/{study}/calibration/{variant}.log",
    benchmark:
        "benchmarks/{scale}/{study}/calibration/{variant}.tsv"
    threads: plan.ask("calibration", "threads")
    resources:
        mem_mb=plan.ask("calibration", "mem_mb"),
        runtime=plan.ask("calibration", "runtime"),
        gpu=plan.ask("calibration", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen calibrate --study {wildcards.study} --variant {wildcards.variant} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"


rule find_thresholds:
    input:
        check=plan.check("thresholds"),
        scores=plan.need("thresholds", "scores"),
        data=plan.need("thresholds", "data"),
    output:
        thresholds=update("results/{scale}/{study}/thresholds/thresholds.json"),
        content_id=update("results/{scale}/{study}/thresholds/outputs.sha256"),
        manifest=update("results/{scale}/{study}/thresholds/manifest.json"),
    log:
        "logs/{scale}/{study}/thresholds.log",
    benchmark:
        "benchmarks/{scale}/{study}/thresholds.tsv"
    threads: plan.ask("thresholds", "threads")
    resources:
        mem_mb=plan.ask("thresholds", "mem_mb"),
        runtime=plan.ask("thresholds", "runtime"),
        gpu=plan.ask("thresholds", "gpu"),
    params:
        configfile=plan.configfile,
        force=plan.force,
    shell:
        "regen thresholds --study {wildcards.study} "
        "--configfile {params.configfile} {params.force} > {log} 2>&1"

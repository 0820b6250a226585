"""Statistics that hold: paired, aware of seeds, grouped by item, corrected by family.

methods       is one method better than another: seeds x items
mcnemar       one checkpoint against one, right or wrong
comparisons   which of them fits, the smallest detectable effect, the verdict
intervals, bootstrap, families, power, wins, pass_at_k, calibration   what their names say
runs, stage   from scored items to a study's statistics
reading, compare, summarize   from prediction files to `regen compare` and `regen summarize`
audit, granularity   `regen audit`: can reported figures be?
simulation    how often all of these are wrong

All need NumPy and scipy.special alone, and are imported by name: `regen.statistics.methods`.
"""

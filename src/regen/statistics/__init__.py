"""Statistics that hold: paired, aware of seeds, grouped by item, corrected by family.

methods      is one method better than another: seeds x items
mcnemar      one checkpoint against one, right or wrong
comparisons  which of them fits; smallest detectable effect; verdict
intervals, bootstrap, families, power, wins, pass_at_k   what their names say
runs, stage  from scored items to the study's statistics

All need NumPy and scipy.special alone, and are imported by name: `regen.statistics.methods`.
"""

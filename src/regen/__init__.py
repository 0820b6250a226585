"""regen: a paper whose every number is derived."""

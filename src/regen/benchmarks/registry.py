"""A benchmark by its name. Only the named one is imported: a stage depends on no other."""

from importlib import import_module
from pkgutil import iter_modules

import regen.benchmarks
from regen.benchmarks.base import BaseBenchmark
from regen.errors import InputError, nearest

NO_BENCHMARKS = {"base", "phrasing", "registry"}

_registered: dict[str, type[BaseBenchmark]] = {}


def register(name: str, benchmark: type[BaseBenchmark]) -> None:
    """Make a benchmark of your own known by name."""
    _registered[name] = benchmark


def list_benchmarks() -> list[str]:
    """Names of the package's benchmarks and of those that were registered."""
    found = {module.name for module in iter_modules(regen.benchmarks.__path__)} - NO_BENCHMARKS
    return sorted({name.replace("_", "-") for name in found} | set(_registered))


def get_benchmark(name: str) -> BaseBenchmark:
    """The benchmark `name`: a registered one, or the one in the package's file of that name."""
    if name in _registered:
        return _registered[name]()
    if name not in list_benchmarks():
        raise InputError(f"there is no benchmark {name!r}{nearest(name, list_benchmarks())}")
    module = import_module(f"regen.benchmarks.{name.replace('-', '_')}")
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
    for kind in kinds:
        if issubclass(kind, BaseBenchmark) and getattr(kind, "name", None) == name:
            return kind()
    raise InputError(f"regen.benchmarks.{name}: defines no benchmark with name = {name!r}")


class BenchmarkRegistry:
    """The same under one name, as the notebooks and scripts of a study call it."""

    list_benchmarks = staticmethod(list_benchmarks)
    register = staticmethod(register)
    get = staticmethod(get_benchmark)

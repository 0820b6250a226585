"""A benchmark by its name. Only the named one is imported: a stage depends on no other."""

from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules

import regen.benchmarks
from regen.benchmarks.base import BaseBenchmark
from regen.errors import InputError, nearest

NO_BENCHMARKS = {"base", "phrasing", "registry"}

_registered: dict[str, type[BaseBenchmark]] = {}


def register(name: str, benchmark: type[BaseBenchmark]) -> None:
    """Make a benchmark of your own known by name.

    Raises InputError where another has the name already; the same class, or the same file read
    once more, may come again.
    """
    before = _registered.get(name)
    if before is not None and identity(before) != identity(benchmark):
        raise InputError(f"there is a benchmark {name!r} already; rename one")
    _registered[name] = benchmark


def identity(benchmark: type[BaseBenchmark]) -> tuple[str, str]:
    return benchmark.__module__, benchmark.__qualname__


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


def register_file(path: Path) -> list[str]:
    """Register every benchmark that a Python file defines, by its `name`; returns the names.

    Raises InputError for a file that cannot be run or defines none.
    """
    spec = spec_from_file_location(str(path.resolve()), path)
    if spec is None or spec.loader is None or not path.exists():
        raise InputError(f"{path}: is no Python file that could be read")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{path}: cannot be run ({said})") from None
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, BaseBenchmark)
        if kind.__module__ == module.__name__ and isinstance(getattr(kind, "name", None), str)
    ]
    if not kinds:
        raise InputError(f"{path}: defines no subclass of BaseBenchmark with a name")
    for kind in kinds:
        register(kind.name, kind)
    return [kind.name for kind in kinds]

"""The hash of the code that a stage runs: the package's modules that it really imports.

Comments, docstrings and formatting are normalised away, so that explaining a line re-runs nothing.
The modules that only decide what runs are left out: what they decide (parameters, inputs, seed)
stands in the manifest itself.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

import regen
from regen.benchmarks.registry import get_benchmark, list_benchmarks
from regen.errors import InputError

PACKAGE = Path(regen.__file__).parent
BENCHMARKS = "regen.benchmarks"
NOT_CODE_OF_A_STAGE = {
    "regen.chain",
    "regen.cli",
    "regen.code",
    "regen.config",
    "regen.digests",
    "regen.image",
    "regen.planning",
    "regen.provenance",
    "regen.report",
    "regen.schema",
    "regen.status",
    "regen.trace",
    "regen.versioning",
    "regen.warm",
}


def code_of(modules: tuple[str, ...]) -> dict[str, str]:
    """{module: hash} of `modules` and of all that they import from the package, in sorted order."""
    found: dict[str, str] = {}
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module in found or module in NOT_CODE_OF_A_STAGE:
            continue
        path = file_of(module)
        if path is None:
            continue  # a name inside a module (from regen.files import dumps), or no module at all
        digest, imported = _read(path, path.stat().st_mtime_ns)
        found[module] = digest
        todo.extend(imported)
    return dict(sorted(found.items()))


def file_of(module: str) -> Path | None:
    """The file of a module of the package, or a benchmark of one's own; None if there is none."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    parent, _, name = module.rpartition(".")
    if parent == BENCHMARKS and name.replace("_", "-") in list_benchmarks():
        file = Path(type(get_benchmark(name.replace("_", "-"))).__module__)  # see `register_file`
        if file.suffix == ".py" and file.is_file():
            return file
    return None


def in_project(file: Path) -> str:
    """A file of the code, as the project's root folder names it."""
    root = PACKAGE.parent.parent
    return str(file.relative_to(root if file.is_relative_to(root) else Path.cwd()))


@cache
def _read(path: Path, mtime: int) -> tuple[str, tuple[str, ...]]:
    """The normalised hash of one file, and every name of the package that it may import."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno}: is not Python ({error.msg}); mend it") from None
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [name.name for name in node.names if name.name.split(".")[0] == "regen"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "regen":
            imported += [f"{node.module}.{name.name}" for name in node.names]
            imported.append(str(node.module))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
    text = ast.unparse(tree)
    parents = {m.rpartition(".")[0] for m in imported if m.count(".") > 1}
    return hashlib.sha256(text.encode()).hexdigest()[:16], tuple(sorted({*imported, *parents}))


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    """Bare strings say something to a reader and nothing to the interpreter."""
    node.body = [
        part
        for part in node.body
        if not (
            isinstance(part, ast.Expr)
            and isinstance(part.value, ast.Constant)
            and isinstance(part.value.value, str)
        )
    ]

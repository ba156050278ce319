"""The rules of the layout: which room may import which, and what a file may do.

A rule is checked on one file's path and source, so that a planted violation can be tested without
touching the tree. `violations` names the file, the line, the import and the rule.
"""

import ast
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import REPOSITORY

PACKAGES = (
    "features",
    "kernels",
    "models",
    "serving_signatures",
    "pipeline",
    "benchmarks",
    "docs_build",
)

# Packages with commands, which may use Beam and absl's flags.
COMMANDS = ("pipeline", "benchmarks", "docs_build")

# The modules of a folder that are not named in its order.
MODULES = "its modules"

# Folder -> its children from the lowest to the highest. A child imports its own group and lower
# ones. `MODULES` stands for every module of the folder that is not named.
ORDERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "": tuple((package,) for package in PACKAGES),
    "features": (
        ("arrays", "errors", "id_kinds", "legacy_keras", "version"),
        ("time_units",),
        ("schema", "files"),
        ("ids",),
        ("tables",),
        ("records", "embeddings"),
        (MODULES,),
    ),
    "features.tables": (
        ("places", "kinds", "names", "plain"),
        ("options", "expressions", "locations"),
        ("listing", "pruning", "times", "text"),
        ("parquet_format", "orc_format", "csv_format", "json_format"),
        ("npy", MODULES),
        ("npy_format",),
        ("formats",),
        ("schema",),
        ("reader",),
        ("table",),
        ("renames",),
    ),
    "features.tables.locations": (
        ("location", "file_names", "hive_keys"),
        ("delta",),
        ("lakes",),
        ("selection",),
    ),
    "features.tables.text": (
        ("files", "parsing"),
        ("blocks",),
        ("csv_records", "json_records"),
        ("csv_layout",),
        (MODULES,),
    ),
    "models": (("inputs",), ("layers", "losses"), (MODULES,), ("evaluation",), ("training",)),
    "serving_signatures": (
        ("names",),
        ("versions", "client", MODULES),
        ("request_logs",),
        ("export",),
        ("skew",),
    ),
    "serving_signatures.client": (("channels",), (MODULES,)),
    "pipeline": (
        ("runtime", "tables", "publishing", "report"),
        ("checkup", "local_serving", "releases", "submission"),
        ("version_gate",),
        ("embedding_sets", "adapters", "simulation"),
        ("cache_loading", "catalog_backfill", "join"),
        ("vocabulary", "statistics"),
        ("training_runs",),
        ("end_to_end", "daily_cycle"),
        ("configs",),
    ),
    "pipeline.join": (
        ("rules",),
        ("options",),
        ("inputs", "flags"),
        ("planner",),
        ("plan", "transport"),
        ("partition",),
        ("read_events",),
        ("read_sums",),
        ("partition_steps",),
        ("transform",),
        ("parts", "manifest_values", "merged_shards"),
        ("last_lines",),
        ("job",),
    ),
    "docs_build": (
        ("markdown", "pages"),
        ("results", "job_flags", "capacity_formulas"),
        ("figure",),
        ("quality_figures", "client_figures", "join_figures", "kernel_figures", "study_figures"),
        ("figures",),
        ("tables",),
        ("registry",),
        (MODULES,),
    ),
    "benchmarks": (
        ("measuring",),
        ("ranking_study", "join_alternatives", "model_alternatives"),
        (MODULES,),
    ),
}

# Parses flags on behalf of every entry point, and prints what they mean.
SHARED_FLAGS = ("pipeline/runtime/entry_point.py", "pipeline/runtime/help_text.py")
# Where a file of the code has names of features as literals.
NAMING = ("features/schema.py", "serving_signatures/names.py")
# Opens the records of every file, compressed or not.
OPENING = "features/records/record_files.py"
# Runs in a process of its own, without this project's code.
STANDALONE = ("serving_signatures/export/parity_process.py",)
# Shows every name with its meaning, as a client writes it; a tensor without one fails there.
DOCUMENTING = ("docs_build/tables/signatures.py",)


@dataclasses.dataclass(frozen=True)
class Import:
    """One imported module or name, and the line that it stands on."""

    line: int
    name: str


def module_name(path: str) -> str:
    """Returns the dotted name of a file: `a/b.py` is `a.b`, `a/__init__.py` is `a`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(path: str, tree: ast.Module) -> list[Import]:
    """Returns each import, wherever in the file it stands, by absolute name."""
    found = []
    parents = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from absl import flags` imports absl.flags; `from a import name` is harmless.
            found += [Import(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return found


def _child(folder: str, name: str) -> str | None:
    """Returns which child of the folder a dotted name lies in, None if it lies elsewhere."""
    prefix = f"{folder}." if folder else ""
    return name.removeprefix(prefix).split(".")[0] if name.startswith(prefix) else None


def _level(folder: str, child: str) -> int | None:
    """Returns a child's place in the order of its folder, None if it has none."""
    groups = ORDERS[folder]
    for level, group in enumerate(groups):
        if child in group:
            return level
    is_module = folder and (REPOSITORY / folder.replace(".", "/") / f"{child}.py").is_file()
    others = [level for level, group in enumerate(groups) if MODULES in group]
    return others[0] if is_module and others else None


def _order_text(folder: str) -> str:
    return " <- ".join("{" + ", ".join(g) + "}" if len(g) > 1 else g[0] for g in ORDERS[folder])


def order_violations(path: str, found: list[Import]) -> Iterator[str]:
    """Yields imports against the order of a folder."""
    own = module_name(path)
    for folder in ORDERS:
        mine = _child(folder, own)
        # A file that is new has no level yet: it stands with the modules.
        my_level = None if mine is None else _level(folder, mine)
        if my_level is None and mine is not None and folder and own == f"{folder}.{mine}":
            levels = [n for n, group in enumerate(ORDERS[folder]) if MODULES in group]
            my_level = levels[0] if levels else None
        if my_level is None:
            continue
        for one in found:
            child = _child(folder, one.name)
            level = None if child is None or child == mine else _level(folder, child)
            if level is not None and level > my_level:
                yield (
                    f"{path}:{one.line}: {mine} must not import {one.name}: "
                    f"{folder or 'the packages'}: {_order_text(folder)}"
                )


def entry_point_violations(path: str, found: list[Import]) -> Iterator[str]:
    """Yields imports of entry points by anything in `pipeline`."""
    if not path.startswith("pipeline/"):
        return
    for one in found:
        child = _child("pipeline", one.name)
        if child and (REPOSITORY / "pipeline" / f"{child}.py").is_file():
            yield f"{path}:{one.line}: {one.name} is an entry point: only commands run it"


def library_violations(path: str, tree: ast.Module, found: list[Import]) -> Iterator[str]:
    """Yields uses of Beam, flags, readers of records and assert where they do not belong."""
    package = path.split("/")[0]
    has_main = any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    is_command = package in COMMANDS and path.count("/") == 1 and has_main
    of_job = package == "pipeline" and path.endswith(("/flags.py", "_flags.py"))
    is_benchmark = package == "benchmarks" and has_main
    for one in found:
        if one.name.split(".")[0] == "tests":
            yield f"{path}:{one.line}: {package} must not import tests"
        if one.name.startswith("apache_beam"):
            if package not in COMMANDS:
                yield f"{path}:{one.line}: only pipeline may import apache_beam"
            if path.startswith("pipeline/join/partition/"):
                yield f"{path}:{one.line}: pipeline/join/partition imports no Beam"
        may_have_flags = path in SHARED_FLAGS or is_command or of_job or is_benchmark
        if f"{one.name}.".startswith("absl.flags.") and not may_have_flags:
            yield f"{path}:{one.line}: absl.flags belongs in a command or a job's flags.py"
    for node in ast.walk(tree):
        is_reader = isinstance(node, ast.Attribute) and node.attr == "TFRecordDataset"
        if is_reader and path not in (OPENING, *STANDALONE):
            yield f"{path}:{node.lineno}: features.records.record_files reads records"
        if isinstance(node, ast.Assert):
            yield f"{path}:{node.lineno}: assert vanishes under python -O; raise instead"


@functools.cache
def feature_names() -> Mapping[str, str]:
    """Returns the constants of `features.schema` by the name of the feature that they hold."""
    tree = ast.parse((REPOSITORY / NAMING[0]).read_text(encoding="utf-8"))
    return {
        node.value.value: node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and str(node.value.value).startswith(("candidate_", "history_"))
    }


def name_violations(path: str, tree: ast.Module) -> Iterator[str]:
    """Yields names of features that are written as literals."""
    if path in (*NAMING, *STANDALONE, *DOCUMENTING):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in feature_names():
            constant = feature_names()[node.value]
            yield f"{path}:{node.lineno}: {node.value!r} is features.schema.{constant}"
        if isinstance(node, ast.JoinedStr) and len(node.values) == 2:
            first = node.values[0]
            if isinstance(first, ast.Constant) and first.value in (
                "similarity_",
                "candidate_",
                "candidate_embedding_",
                "context_",
                "history_",
            ):
                yield (
                    f"{path}:{node.lineno}: f'{first.value}...' is a function of features.schema "
                    "or serving_signatures.names"
                )


def violations(path: str, source: str) -> list[str]:
    """Returns what the file at `path` (relative to the repository) does against the rules."""
    tree = ast.parse(source)
    found = imports(path, tree)
    return [
        *order_violations(path, found),
        *entry_point_violations(path, found),
        *library_violations(path, tree, found),
        *name_violations(path, tree),
    ]


def sources(*packages: str) -> list[Path]:
    """Returns the Python files of packages, sorted."""
    return sorted(path for package in packages for path in (REPOSITORY / package).rglob("*.py"))


def relative(path: Path) -> str:
    """Returns a path as the rules name it."""
    return path.relative_to(REPOSITORY).as_posix()


@functools.cache
def modules() -> frozenset[str]:
    """Returns the dotted names of all modules of the packages."""
    return frozenset(module_name(relative(path)) for path in sources(*PACKAGES))


@functools.cache
def imported_modules(path: Path) -> frozenset[str]:
    """Returns the modules of ours that a file imports, by the module and not the symbol.

    A module that a test runs as a command (`python -m pipeline.run`), or names by its path,
    counts too.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    found = {name for name in modules() if {name, f"{name.replace('.', '/')}.py"} & strings}
    for one in imports(relative(path), tree):
        for name in (one.name, one.name.rpartition(".")[0]):
            if name in modules():
                found.add(name)
                break
    return frozenset(found)


@functools.cache
def graph() -> Mapping[str, frozenset[str]]:
    """Returns for each module the modules of ours that it imports."""
    return {module_name(relative(path)): imported_modules(path) for path in sources(*PACKAGES)}


def reached(start: set[str]) -> set[str]:
    """Returns the modules that are imported from some modules, directly or not."""
    seen, waiting = set(), list(start)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph().get(name, ())
    return seen


@functools.cache
def reached_by_tests(folder: Path) -> frozenset[str]:
    """Returns the modules that the tests in and below a folder import, directly or not."""
    start = {name for test in folder.rglob("*.py") for name in imported_modules(test)}
    return frozenset(reached(start))


def mutual_imports(edges: Mapping[str, frozenset[str]]) -> list[tuple[str, str]]:
    """Returns the pairs of sibling folders that import each other.

    Args:
      edges: imported modules by module.
    """
    arrows: set[tuple[str, str]] = set()
    for source, targets in edges.items():
        for target in targets:
            mine, other = source.split("."), target.split(".")
            depth = next(
                (n for n, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), None
            )
            if depth is None or len(mine) == depth + 1 or len(other) == depth + 1:
                continue
            arrows.add((".".join(mine[: depth + 1]), ".".join(other[: depth + 1])))
    return sorted((a, b) for a, b in arrows if a < b and (b, a) in arrows)

"""Reading the configuration: merged, validated, and refused in one line.

`config.yaml` is the embedded scale; an overlay (`config/smoke.yaml`, ...) is merged over it as
Snakemake does: mappings are merged, everything else is replaced. A named entry set to null is
taken out.
"""

import json
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from regen.benchmarks.registry import get_benchmark, list_benchmarks, register_file
from regen.chain import STAGES
from regen.errors import InputError, nearest
from regen.schema import Config
from regen.schema.common import known
from regen.schema.datasets import OwnData
from regen.schema.models import TinyAudioModel, TinyLlamaModel
from regen.schema.study import Study


def read(files: Iterable[Path], changes: Iterable[str] = ()) -> dict[str, Any]:
    """The merged configuration as plain data: files in order, then `key.sub=value` changes."""
    merged: dict[str, Any] = {}
    for file in files:
        content = read_file(file)
        check_overlay(content, merged, str(file))
        merge(merged, content)
    for change in changes:
        key, separator, value = change.partition("=")
        if not separator or not key:
            raise InputError(
                f"--set {change}: write it as key=value, for example --set scale=smoke"
            )
        *parents, last = key.split(".")
        try:
            overlay: dict[str, Any] = {last: yaml.safe_load(value)}
        except yaml.YAMLError:
            raise InputError(f"--set {change}: the value is not YAML; quote or close it") from None
        for part in reversed(parents):
            overlay = {part: overlay}
        check_overlay(overlay, merged, f"--set {change}")
        merge(merged, overlay)
    return merged


class _EachKeyOnce(yaml.SafeLoader):
    """YAML as it is, but for a key that stands twice: PyYAML would forget what came first."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                place = key.start_mark
                raise InputError(
                    f"{place.name}: line {place.line + 1}: {key.value} stands there a second time; "
                    "put what is under it into the first"
                )
            seen.add(str(key.value))
        return node


def read_file(file: Path) -> dict[str, Any]:
    """A configuration file. Raises InputError unless it holds a mapping, each key once."""
    try:
        with open(file, encoding="utf-8") as text:
            content = yaml.load(text, _EachKeyOnce) or {}
    except OSError as error:
        where = "" if file.is_absolute() else "; run this in the project's root folder"
        raise InputError(f"{file}: cannot be read ({error.strerror}){where}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file}: is not YAML: {reason}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no mapping of keys to values")
    return content


def check_overlay(
    overlay: Mapping[str, Any], under: Mapping[str, Any], where: str, path: tuple[str, ...] = ()
) -> None:
    """Raise InputError for what changes nothing: {} over a mapping, null for what is not there."""
    for key, value in overlay.items():
        below = under.get(key)
        if value is None and key not in under and path and path[-1] in NAMED:
            raise InputError(
                f"{where}: {'.'.join((*path, key))}: null takes an entry out, and there is none of "
                f"that name{nearest(key, sorted(under))}"
            )
        if not isinstance(value, Mapping) or not isinstance(below, Mapping) or not below:
            continue
        place = ".".join((*path, key))
        if not value:
            null = f", or set what is to go to null, as {place}.{next(iter(below))}"
            raise InputError(
                f"{where}: {place}: {{}} changes nothing, since mappings are merged; leave it out"
                f"{null if key in NAMED else ''}"
            )
        check_overlay(value, below, where, (*path, key))


def merge(into: dict[str, Any], overlay: Mapping[str, Any]) -> None:
    """Merge as Snakemake merges configuration files."""
    for key, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            merge(into[key], value)
            continue
        try:
            into[key] = json.loads(json.dumps(value))
        except TypeError:
            raise InputError(
                f"configuration: {key}: holds what is no text, number, list or mapping; put a date "
                "in quotes"
            ) from None


def in_order_of(under: Mapping[str, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    """`merged` with what `under` has in its order, and then what is new, at every depth: as `read`
    has it. Order counts: in it stand a table's rows, and trainings that go on from one before.
    """
    keys = [*(key for key in under if key in merged), *(key for key in merged if key not in under)]
    return {
        key: in_order_of(under[key], merged[key])
        if isinstance(merged[key], Mapping) and isinstance(under.get(key), Mapping)
        else merged[key]
        for key in keys
    }


def check(merged: Mapping[str, Any]) -> Config:
    """The configuration, validated. Raises InputError with one line: what, where, what to do."""
    kept = without_nulls(merged)
    if "studies" in kept and not kept["studies"]:
        raise InputError(
            "configuration: studies: there are none, so there is nothing to make; keep one at "
            "least (an overlay takes a single one out by NAME: null)"
        )
    check_taken_out(merged)
    try:
        config = Config.model_validate(kept)
        register_files(config)
        for name, data in config.datasets.items():
            if isinstance(data, OwnData):
                known(data.benchmark, list_benchmarks(), f"datasets.{name}.benchmark", "benchmark")
        for name, model in config.models.items():
            if isinstance(model, TinyAudioModel | TinyLlamaModel):
                known(model.benchmark, list_benchmarks(), f"models.{name}.benchmark", "benchmark")
                check_rows(config, f"models.{name}", model)
        for name, study in config.studies.items():
            check_rows(config, f"studies.{name}", study)
            check_benchmark(name, study)
        for stage in config.resources:
            known(stage, ("default", *STAGES), f"resources.{stage}", "stage")
        for name, resources in config.model_resources.items():
            known(name, config.models, f"model_resources.{name}", "model")
            for stage in resources:
                known(stage, STAGES, f"model_resources.{name}.{stage}", "stage")
    except ValidationError as error:
        problems = error.errors()
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"configuration: {explain(problems[0])}{more}") from None
    except ValueError as error:
        raise InputError(f"configuration: {error}") from None
    return config


def register_files(config: Config) -> None:
    """Make the benchmarks of one's own known. Raises InputError for one that cannot be had so."""
    own: set[str] = set()
    for file in config.benchmark_files:
        for name in register_file(Path(file)):
            if find_spec(f"regen.benchmarks.{name.replace('-', '_')}"):
                raise InputError(f"{file}: {name} is a benchmark of the package; rename yours")
            own.add(name)
    for name, study in config.studies.items():
        for training, recipe in study.trainings.items():
            if study.benchmark in own and recipe.optimisation.processes > 1:
                raise InputError(
                    f"configuration: studies.{name}.trainings.{training}.optimisation.processes: "
                    f"benchmark {study.benchmark} is in a file of your own, which the processes "
                    "of one training do not read; move it to src/regen/benchmarks/, or leave it 1"
                )


TAKEN_FROM = {
    "dataset": "datasets",
    "base": "models",
    "encoder": "models",
    "trainings_of": "studies",
}
"""Keys of a study that name an entry elsewhere."""


def check_taken_out(merged: Mapping[str, Any]) -> None:
    """Raise InputError for a study that names an entry which an overlay has set to null."""
    sections = {key: value for key, value in merged.items() if isinstance(value, Mapping)}
    for name, study in sections.get("studies", {}).items():
        for key, section in TAKEN_FROM.items() if isinstance(study, Mapping) else ():
            out = [k for k, entry in sections.get(section, {}).items() if entry is None]
            if study.get(key) in out:
                raise InputError(
                    f"configuration: studies.{name}.{key}: {section}.{study[key]} is null at scale "
                    f"{merged.get('scale')}; name another in that scale's overlay, or take the "
                    f"study out there ({name}: null)"
                )


def check_benchmark(name: str, study: Study) -> None:
    """Raise ValueError for a prompt, metric or baseline that the benchmark does not have."""
    where = f"studies.{name}"
    known(study.benchmark, list_benchmarks(), f"{where}.benchmark", "benchmark")
    benchmark = get_benchmark(study.benchmark)
    for training, recipe in study.trainings.items():
        known(recipe.prompt, benchmark.prompts, f"{where}.trainings.{training}.prompt", "prompt")
    for variant, row in study.variants.items():
        if isinstance(row.prompt, str):
            known(row.prompt, benchmark.prompts, f"{where}.variants.{variant}.prompt", "prompt")
        if row.trivial is not None:
            place = f"{where}.variants.{variant}.trivial"
            known(row.trivial, benchmark.trivial, place, "trivial baseline")
            continue
        from_logits = bool(benchmark.options) and row.decoding.mode == "options"
        for setting in ("temperature", "constrained"):
            if from_logits and getattr(row.decoding, setting):
                raise ValueError(
                    f"{where}.variants.{variant}.decoding.{setting}: answers are read from the "
                    "logits of the options, and nothing is drawn; leave it out, or set mode: "
                    "generate"
                )
        if row.decoding.constrained and not benchmark.has_form:
            raise ValueError(
                f"{where}.variants.{variant}.decoding.constrained: benchmark {study.benchmark} "
                "names no form that its answers could be constrained to; leave it out"
            )
    for search, settings in study.prompt_searches.items():
        if settings.evaluations < len(benchmark.prompts):
            raise ValueError(
                f"{where}.prompt_searches.{search}.evaluations: {settings.evaluations} is less "
                f"than the {len(benchmark.prompts)} named prompts, where a search starts"
            )
    for stage in study.resources:
        known(stage, STAGES, f"{where}.resources", "stage")
    for facet in study.facets:
        known(facet, benchmark.facets, f"{where}.facets", "facet")
    for choice, selection in study.selections.items():
        place = f"{where}.selections.{choice}.metric"
        known(selection.metric, benchmark.metrics, place, "metric")
    for sweep, tried in study.sweeps.items():
        known(tried.metric, benchmark.metrics, f"{where}.sweeps.{sweep}.metric", "metric")
    if study.answers is not None:
        for metric in (*study.answers.tolerances, *study.answers.ranking):
            known(metric, benchmark.metrics, f"{where}.answers", "metric")
    for metric in study.draws.metrics if study.draws else ():
        known(metric, benchmark.metrics, f"{where}.draws.metrics", "metric")
    if study.thresholds is not None:
        metric = study.thresholds.metric
        known(metric, benchmark.metrics, f"{where}.thresholds.metric", "metric")
    for comparison in study.comparisons:
        place = f"{where}.comparisons.{comparison.family}.metric"
        known(comparison.metric, benchmark.metrics, place, "metric")
    for figure in (one for one in study.figures if one.kind in ("facet", "pareto")):
        place = f"{where}.figures.{figure.name}"
        for metric in (figure.metric, figure.other) if figure.other else (figure.metric,):
            known(metric, benchmark.metrics, place, "metric")


def check_rows(config: Config, where: str, asked: Study | TinyAudioModel | TinyLlamaModel) -> None:
    """Raise ValueError if the benchmark of a study or model cannot read the rows of its data."""
    builder = config.datasets[asked.dataset].builder
    builders = get_benchmark(asked.benchmark).builders
    if builders and builder not in (*builders, "own"):
        raise ValueError(
            f"{where}.dataset: {asked.dataset} has the rows of builder {builder}, which benchmark "
            f"{asked.benchmark} does not read; name a data set of builder "
            f"{' or '.join(dict.fromkeys((*builders, 'own')))}"
        )


NAMED = (
    "datasets",
    "models",
    "studies",
    "trainings",
    "prompt_searches",
    "selections",
    "sweeps",
    "variants",
    "labels",
    "resources",
    "model_resources",
    "proposer",
)
"""Keys of which an overlay can take an entry out by setting it to null."""


def without_nulls(merged: Mapping[str, Any]) -> dict[str, Any]:
    """Take out the named entries that an overlay set to null."""
    kept: dict[str, Any] = {}
    for key, value in merged.items():
        if key in NAMED and isinstance(value, Mapping):
            value = {name: entry for name, entry in value.items() if entry is not None}
        kept[key] = without_nulls(value) if isinstance(value, Mapping) else value
    return kept


def explain(problem: Mapping[str, Any]) -> str:
    """One line for one of pydantic's errors."""
    location, owner = place_of(problem["loc"])
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key{nearest(location[-1], owner)}"
    if problem["type"] == "missing":
        return f"{where}: is missing; add it"
    if problem["type"] == "union_tag_not_found":
        key = problem["ctx"]["discriminator"].strip("'")
        return f"{where}.{key}: is missing; add it"
    if problem["type"] == "union_tag_invalid":
        key, kinds = problem["ctx"]["discriminator"].strip("'"), problem["ctx"]["expected_tags"]
        return f"{where}.{key}: there is no {problem['ctx']['tag']!r}; there are: {kinds}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if problem["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {message}, not {problem['input']!r}"


def place_of(location: Iterable[Any]) -> tuple[list[str], list[str]]:
    """The path of a place as one writes it, and the keys that the schema knows beside it.

    Found by walking the JSON schema. pydantic's own path also holds "[key]" and the kind of an
    entry that has several ("builder").
    """
    schema = Config.model_json_schema()
    node: dict[str, Any] = schema
    path: list[str] = []
    beside: list[str] = []
    for part in location:
        node = _resolve(node, schema)
        kinds = node.get("discriminator", {}).get("mapping", {})
        if part == "[key]":
            continue
        if part in kinds:
            node = {"$ref": kinds[part]}
            continue
        path.append(str(part))
        beside = sorted(node.get("properties", {}))
        if part in node.get("properties", {}):
            node = node["properties"][part]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
        elif "patternProperties" in node:
            node = next(iter(node["patternProperties"].values()))
        elif "items" in node:
            node = node["items"]
    return path, beside


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for choice in node.get("anyOf", []):
        if "$ref" in choice:
            node = choice
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node

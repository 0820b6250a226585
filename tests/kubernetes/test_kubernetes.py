"""profiles/kubernetes: what would be submitted, checked as a server checks it, and run."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
PACKAGES = (
    "snakemake-executor-plugin-kubernetes", "kubernetes", "durationpy", "google-auth", "oauthlib",
    "requests-oauthlib", "websocket-client", "pyasn1", "pyasn1_modules",
)  # fmt: skip
"""The extra `kubernetes`, beyond what is installed for everything else."""


@pytest.fixture(scope="module")
def client(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder with the extra's packages; "" if they are installed."""
    try:
        import snakemake_executor_plugin_kubernetes  # noqa: F401

        yield ""
    except ModuleNotFoundError:
        folder = str(tmp_path_factory.mktemp("client"))
        constraints = str(project / "constraints.txt")
        install = ["install", "-q", "--no-deps", "--target", folder, "-c", constraints, *PACKAGES]
        done = subprocess.run([sys.executable, "-m", "pip", *install], capture_output=True)
        if done.returncode:
            pytest.skip("the extra `kubernetes` is not installed and cannot be fetched")
        sys.path.append(folder)
        yield folder
        sys.path.remove(folder)


@pytest.fixture
def cluster(client: str, project: Path, tmp_path: Path) -> Iterator[Any]:
    from api_server import Cluster

    node = tmp_path / "pod"  # where a pod starts: an empty folder of its own
    node.mkdir()
    paths = [str(tmp_path / "project" / "src"), client, os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(filter(None, paths)),
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
    }
    server = Cluster(str(node), environment)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    named = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "users": [{"name": "me", "user": {}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(named))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(project: Path, tmp_path: Path) -> Path:
    """A copy of the project, which lies in the volume. Trainings ask for a GPU."""
    folder = tmp_path / "project"
    for name in ("config", "rules", "profiles", "paper", "src"):
        shutil.copytree(project / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(project / name, folder / name)
    (folder / "data").mkdir()
    shutil.copy(project / "data" / "sources.txt", folder / "data")
    asked = {"training": {"threads": 4, "mem_mb": 3000, "runtime": 10, "gpu": 1}}
    (folder / "gpu.yaml").write_text(yaml.safe_dump({"resources": asked}))
    return folder


def snakemake(home: Path, cluster: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    volume = ["--kubernetes-shared-persistent-volumes", f"regen:{home.parent}"]
    return subprocess.run(
        ["snakemake", *arguments, "--profile", "profiles/kubernetes", *volume],
        cwd=home,
        env=cluster.environment,
        capture_output=True,
        text=True,
    )


def test_jobs_are_valid_run_in_the_shared_folder_and_ask_for_what_they_need(
    home: Path, cluster: Any
) -> None:
    target = "results/smoke/math/checkpoints/sft/seed-42/summary.json"
    quick = ["--seconds-between-status-checks", "1", "--retries", "0", "--latency-wait", "10"]
    overlays = ["--configfile", "config/smoke.yaml", "gpu.yaml"]
    done = snakemake(home, cluster, target, *quick, *overlays)
    said = done.stdout + done.stderr + "".join(cluster.said.values())
    assert done.returncode == 0, said[-6000:]
    assert (home / target).exists()
    assert cluster.refused == [] and list(Path(cluster.node).iterdir()) == []

    specs = {}
    for job in cluster.jobs.values():
        spec = job["spec"]["template"]["spec"]
        container = spec["containers"][0]
        assert container["args"][1].startswith(f"cd {home} && ")
        assert container["image"] == "regen:cuda"
        claims = {v["name"]: v.get("persistentVolumeClaim") for v in spec["volumes"]}
        assert claims["regen"] == {"claimName": "regen"}
        assert {"name": "regen", "mountPath": str(home.parent)} in container["volumeMounts"]
        (rule,) = [
            name
            for name in ("train", "build_data", "build_model")
            if f"--allowed-rules {name} " in container["args"][1]
        ]
        specs[rule] = (spec, container["resources"])
    assert set(specs) == {"train", "build_data", "build_model"}

    spec, asked = specs["train"]
    same = {"memory": "3000M", "nvidia.com/gpu": "1", "ephemeral-storage": "10000M"}
    assert asked["limits"] == {"cpu": "4000m", **same}
    assert asked["requests"] == {"cpu": "3800m", **same}
    assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"
    _, asked = specs["build_data"]
    assert asked["limits"]["nvidia.com/gpu"] == "0"

    again = snakemake(home, cluster, "-n", target, *overlays)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_results_that_count_for_one_image_are_made_in_it(home: Path, cluster: Any) -> None:
    image = f"registry.example.org/regen@sha256:{'4' * 64}"
    strict = {"strict_environment": True, "container": f"docker://{image}"}
    (home / "strict.yaml").write_text(yaml.safe_dump(strict))
    target = "models/tiny-text-smoke/outputs.sha256"
    quick = ["--seconds-between-status-checks", "1", "--retries", "0", "--latency-wait", "10"]
    overlays = ["--configfile", "config/smoke.yaml", "strict.yaml"]
    other = snakemake(home, cluster, target, *quick, *overlays)
    assert other.returncode != 0
    assert "runs in no image" in "".join(cluster.said.values()) + other.stdout + other.stderr
    named = ["--container-image", image]
    done = snakemake(home, cluster, target, *quick, *overlays, *named)
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = json.loads((home / target).with_name("run.json").read_text())
    assert f"sha256:{'4' * 64}" in json.dumps(recorded)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("metadata", "name"), "Too_Long", "is no name"),
        (("spec", "backoffLimit"), "never", "is no V1Job"),
        (("spec", "unknown"), 1, "holds what V1Job does not"),
        (("resources", "requests"), {"nvidia.com/gpu": "1"}, "its limit must be given"),
        (("resources", "requests"), {"memory": "9 GB"}, "is no quantity"),
    ],
)
def test_the_server_refuses_what_a_real_one_would(
    client: str, path: tuple[str, str], value: Any, said: str
) -> None:
    """The oracle of the test above can fail."""
    from api_server import problems

    mount = {"name": "regen", "mountPath": "/shared"}
    container: dict[str, Any] = {
        "name": "snakemake", "image": "i", "volumeMounts": [mount], "resources": {},
    }  # fmt: skip
    pod = {"containers": [container], "volumes": [{"name": "regen"}], "restartPolicy": "Never"}
    job: dict[str, Any] = {
        "metadata": {"name": "a-job"}, "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }  # fmt: skip
    assert problems(job) == []
    where = container if path[0] == "resources" else job
    where[path[0]] = {**where[path[0]], path[1]: value}
    assert any(said in one for one in problems(job)), problems(job)


def test_without_the_client_one_line_says_so(home: Path, cluster: Any, client: str) -> None:
    if not client:
        pytest.skip("the client is installed")
    cluster.environment["PYTHONPATH"] = str(home / "src")
    done = snakemake(home, cluster, "data", "--configfile", "config/smoke.yaml")
    assert done.returncode != 0
    assert "pip install -c constraints.txt -e '.[kubernetes]'" in done.stdout + done.stderr
    local = subprocess.run(
        ["snakemake", "-n", "data/math-smoke/card.json", "--configfile", "config/smoke.yaml"],
        cwd=home, env=cluster.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert local.returncode == 0, local.stderr

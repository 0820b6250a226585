"""A small Kubernetes: an API server that checks the jobs it is sent, and runs them here.

Checked as the server does: the schema, by the client's own types; names, quantities, volumes and
limits by the rules of the API's validation (kubernetes/kubernetes, pkg/apis/core/validation). A job
that passes is run as a command on this machine, which stands for a node with the volume mounted.
"""

import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlparse

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([munkMGTPE]|[KMGTPE]i)?")


def problems(job: dict[str, Any]) -> list[str]:
    """Why an API server would not take the job; empty if it would."""
    from kubernetes.client import ApiClient

    client = ApiClient()
    try:
        read = client.deserialize(SimpleNamespace(data=json.dumps(job)), "V1Job")
    except (ValueError, TypeError, AttributeError) as error:
        return [f"is no V1Job: {error}"]
    found = []
    written = client.sanitize_for_serialization(read)
    if written != job:
        found.append(f"holds what V1Job does not: {job}, {written}")
    spec = job["spec"]["template"]["spec"]
    volumes = [volume["name"] for volume in spec["volumes"]]
    for name in (job["metadata"]["name"], *volumes, *(c["name"] for c in spec["containers"])):
        if not LABEL.fullmatch(name):
            found.append(f"{name}: is no name")
    if len(set(volumes)) < len(volumes):
        found.append(f"volumes: one is named twice: {volumes}")
    if spec["restartPolicy"] not in ("Never", "OnFailure"):
        found.append("restartPolicy: a job's is Never or OnFailure")
    for container in spec["containers"]:
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        if len(set(mounts)) < len(mounts) or not all(path.startswith("/") for path in mounts):
            found.append(f"mountPath: must be unique and absolute: {mounts}")
        if {mount["name"] for mount in container["volumeMounts"]} - set(volumes):
            found.append("volumeMounts: one is of no volume")
        found += wrong_resources(container["resources"])
        if not container["image"] or container["image"] != container["image"].strip():
            found.append("image: is missing")
    return found


def wrong_resources(resources: dict[str, dict[str, str]]) -> list[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    found = []
    for name, amount in (*requests.items(), *limits.items()):
        if not isinstance(amount, str) or not QUANTITY.fullmatch(amount):
            found.append(f"{name}: {amount!r} is no quantity")
        if "/" in name and not amount.isdecimal():
            found.append(f"{name}: is counted in whole devices")
    for name, amount in requests.items():
        # Of what cannot be shared the limit must be given, and be what is asked for.
        if "/" in name and limits.get(name) != amount:
            found.append(f"{name}: its limit must be given, and equal the request")
        if name in limits and size(amount) > size(limits[name]):
            found.append(f"{name}: more is asked for than the limit")
    return found


def size(quantity: str) -> float:
    units = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "Mi": 2.0**20, "Gi": 2.0**30}
    number, unit = re.fullmatch(r"([0-9.]+)(.*)", quantity).groups()  # type: ignore[union-attr]
    return float(number) * units[unit]


class Cluster(ThreadingHTTPServer):
    """`refused`: why jobs were; `jobs`: manifests by name; `node`: where a job's command starts."""

    def __init__(self, node: str, environment: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.node, self.environment = node, environment
        self.jobs: dict[str, dict[str, Any]] = {}
        self.done: dict[str, int] = {}
        self.said: dict[str, str] = {}
        self.secrets: list[dict[str, Any]] = []
        self.refused: list[str] = []

    def run(self, name: str) -> None:
        container = self.jobs[name]["spec"]["template"]["spec"]["containers"][0]
        done = subprocess.run(
            [*container["command"], *container["args"]],
            cwd=self.node,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        self.said[name] = done.stdout + done.stderr
        self.done[name] = done.returncode


class Handler(BaseHTTPRequestHandler):
    server: Cluster

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/namespaces/default/secrets":
            self.server.secrets.append(body)
            return self._answer(201, body)
        assert self.path == "/apis/batch/v1/namespaces/default/jobs", self.path
        if wrong := problems(body):
            self.server.refused += wrong
            return self._answer(422, {"kind": "Status", "message": "; ".join(wrong)})
        name = body["metadata"]["name"]
        self.server.jobs[name] = body
        threading.Thread(target=self.server.run, args=(name,), daemon=True).start()
        return self._answer(201, body)

    def do_GET(self) -> None:
        place = urlparse(self.path)
        if place.path.endswith("/status"):
            name = place.path.split("/")[-2]
            code = self.server.done.get(name)
            counts = {} if code is None else {"failed" if code else "succeeded": 1}
            return self._answer(200, self.server.jobs[name] | {"status": counts})
        if place.path.endswith("/log"):
            name = place.path.split("/")[-2].removesuffix("-pod")
            return self._answer(200, self.server.said.get(name, ""))
        name = parse_qs(place.query)["labelSelector"][0].removeprefix("job-name=")
        return self._answer(200, {"kind": "PodList", "items": [self._pod(name)]})

    def _pod(self, name: str) -> dict[str, Any]:
        code = self.server.done.get(name)
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        status = {
            "name": "snakemake", "image": "i", "imageID": "i", "ready": False, "restartCount": 0,
            "state": state,
        }  # fmt: skip
        return {"metadata": {"name": f"{name}-pod"}, "status": {"containerStatuses": [status]}}

    def do_DELETE(self) -> None:
        self._answer(200, {"kind": "Status", "status": "Success"})

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass

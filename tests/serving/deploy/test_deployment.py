"""The deployment files: what each server is started with, and what its probes ask."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[3] / "serving" / "deploy"
SERVERS = ("vllm", "sglang", "tgi")
CACHED = {"vllm": "--enable-prompt-tokens-details", "sglang": "--enable-cache-report", "tgi": None}
QUEUE = {
    "vllm": ("--max-num-queued-reqs=256", "vllm_num_requests_waiting"),
    "sglang": ("--max-queued-requests=256", "sglang_num_queue_reqs"),
    "tgi": ("--max-concurrent-requests=256", "tgi_queue_size"),
}


def manifests(name: str) -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())
    return {document["kind"]: document for document in documents}


def container(workload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_compose_and_kubernetes_start_a_server_alike(name: str) -> None:
    compose = yaml.safe_load((DEPLOY / f"compose.{name}.yaml").read_text())["services"]["model"]
    model = container(manifests(name)["StatefulSet"])
    given = [part for part in compose["command"] if part.startswith(("--", "/"))]
    assert given == model["args"]
    assert "--dtype=bfloat16" in given and QUEUE[name][0] in given
    assert CACHED[name] is None or CACHED[name] in given
    assert not any("lora" in part for part in given)
    assert any(volume.endswith(":/model:ro") for volume in compose["volumes"])
    assert {"name": "model", "mountPath": "/model", "readOnly": True} in model["volumeMounts"]


@pytest.mark.parametrize("name", SERVERS)
def test_probes_queue_and_servers(name: str) -> None:
    found = manifests(name)
    model = container(found["StatefulSet"])
    ready = model["readinessProbe"]["httpGet"]["path"]
    assert ready == ("/v1/models" if name == "vllm" else "/health")
    assert model["startupProbe"]["failureThreshold"] * model["startupProbe"]["periodSeconds"] >= 600
    scaled = found["HorizontalPodAutoscaler"]["spec"]
    assert scaled["metrics"][0]["pods"]["metric"]["name"] == QUEUE[name][1]
    port = found["Service"]["spec"]["ports"][0]["port"]
    urls = [f"http://model-{number}.model:{port}" for number in range(scaled["maxReplicas"])]
    assert found["ConfigMap"]["data"]["ROUTE_SQL_MODEL"] == ",".join(urls)
    assert found["NetworkPolicy"]["spec"]["podSelector"] == found["StatefulSet"]["spec"]["selector"]


def test_the_app_is_started_alike_everywhere() -> None:
    docker = (DEPLOY / "Dockerfile").read_text()
    command = re.search(r"^CMD (\[.*\])$", docker, re.MULTILINE)
    app = container(manifests("app")["Deployment"])
    assert command and json.loads(command[1]) == app["args"]
    assert app["args"][:5] == ["api", "--host", "0.0.0.0", "--port", "8000"]
    assert app["livenessProbe"]["httpGet"]["path"] == "/health"
    assert app["readinessProbe"]["httpGet"]["path"] == "/ready"


@pytest.mark.parametrize("name", SERVERS)
def test_the_app_of_a_compose_file_allows_the_names_of_its_published_port(name: str) -> None:
    app = yaml.safe_load((DEPLOY / f"compose.{name}.yaml").read_text())["services"]["app"]
    (published,) = app["ports"]
    assert app["command"][:5] == ["api", "--host", "0.0.0.0", "--port", published.split(":")[-1]]
    allowed = [value for option, value in pairwise(app["command"]) if option == "--allow-host"]
    assert allowed == [published.rsplit(":", 1)[0], f"localhost:{published.split(':')[1]}"]


def test_the_image_has_the_drivers_and_the_store_of_threads() -> None:
    extras = re.search(r"'\.\[(.+)\]'", (DEPLOY / "Dockerfile").read_text())
    assert extras and {*extras[1].split(",")} == {"api", "postgres", "mysql", "duckdb", "threads-postgres"}


def test_the_app_reads_its_servers_and_may_have_a_secret_environment() -> None:
    app = container(manifests("app")["Deployment"])
    assert app["envFrom"] == [
        {"configMapRef": {"name": "route-sql-servers"}},
        {"secretRef": {"name": "route-sql-env", "optional": True}},
    ]


def test_the_board_reads_metrics_that_the_servers_have() -> None:
    board = json.loads((DEPLOY / "grafana.json").read_text())
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    assert all(name in asked for name in ("vllm:num_requests_waiting", "sglang:num_queue_reqs", "tgi_queue_size"))
    assert "vllm:prefix_cache_hits_total" in asked
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])

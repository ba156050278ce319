"""TensorFlow Serving as Kubernetes manifests.

A pod reads its configuration once, from a ConfigMap that is never changed and whose name has a hash
of what it holds. So a promotion, submitted again, is another ConfigMap and a rolling update: one
pod more starts, loads its versions while nobody calls it, and replaces an old one when it is ready.
Had the pods read one file again and again, all of them would load the new version at once, beside
the requests. A pod that is restarted serves what it served, and `kubectl rollout undo` goes back.
"""

import hashlib
import json
import math
import urllib.parse

from pipeline.submission import pods
from pipeline.submission.pods import Manifest
from pipeline.submission.serving import Serving
from serving_signatures.versions.rollout import FILE_NAME

CONTAINER = "serving"
_CONFIG_FOLDER = "/etc/dmf-serving"
_BATCHING = "batching_parameters.txt"
_MONITORING = "monitoring.config"
_GRPC, _REST = 8500, 8501
_PROBE_SECONDS = 5

MONITORING = """\
# tensorflow.serving.MonitoringConfig: metrics for Prometheus on the REST port.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def render(serving: Serving) -> list[Manifest]:
    """Returns the manifests in the order in which they are applied.

    Raises:
      UserInputError: an image has neither a digest nor a tag other than `latest`, or a claim or
        a secret has no name of Kubernetes.
    """
    settings = serving.settings
    pods.check_image(settings.image)
    pods.check_names(settings)
    name = settings.name
    selector = {"app.kubernetes.io/name": "dmf-ctr", "app.kubernetes.io/instance": name}
    labels = {**pods.labels("serve"), **selector}

    def manifest(api: str, kind: str, **fields: object) -> Manifest:
        metadata = {"name": name, "namespace": settings.namespace, "labels": labels}
        return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}

    data = _configuration(serving)
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:10]
    configuration = manifest("v1", "ConfigMap", data=data, immutable=True)
    configuration["metadata"]["name"] = f"{name}-{digest}"
    ports = {"grpc": _GRPC, "rest": _REST}
    service = {
        # Each pod has an address of its own: gRPC keeps its connections, and a virtual address
        # would send all calls of a client to the pod of its first one.
        "clusterIP": "None",
        "selector": selector,
        "ports": [{"name": one, "port": port} for one, port in ports.items()],
    }
    budget = {
        "maxUnavailable": 1,
        # Otherwise pods that never become ready keep a node from being drained.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector},
    }
    deployment = {
        # No `replicas`: applying it again would undo what the autoscaler has set.
        "selector": {"matchLabels": selector},
        "strategy": {
            "type": "RollingUpdate",
            # One pod loads at a time, and no pod ends before another is ready.
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "progressDeadlineSeconds": 2 * settings.load_seconds,
        "template": {
            "metadata": {"labels": labels},
            "spec": _pod(serving, configuration["metadata"]["name"], selector),
        },
    }
    target = {"type": "Utilization", "averageUtilization": settings.cpu_percent}
    autoscaler = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": settings.min_replicas,
        "maxReplicas": settings.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return [
        configuration,
        manifest("v1", "Service", spec=service),
        manifest("policy/v1", "PodDisruptionBudget", spec=budget),
        manifest("apps/v1", "Deployment", spec=deployment),
        manifest("autoscaling/v2", "HorizontalPodAutoscaler", spec=autoscaler),
    ]


def _configuration(serving: Serving) -> dict[str, str]:
    """Returns the files that the server reads."""
    return {
        FILE_NAME: serving.rollout.render(),
        # Of the threads that all versions share; batch sizes are each version's own.
        _BATCHING: f"num_batch_threads {{ value: {_threads(serving)} }}\n",
        _MONITORING: MONITORING,
    }


def _threads(serving: Serving) -> int:
    return max(1, int(serving.settings.cpus))


def _command(serving: Serving) -> list[str]:
    threads = _threads(serving)
    drain = serving.settings.drain_seconds * 1000
    return [
        # Not the image's script, a shell that does not pass SIGTERM on.
        "tensorflow_model_server",
        f"--port={_GRPC}",
        f"--rest_api_port={_REST}",
        f"--model_config_file={_CONFIG_FOLDER}/{FILE_NAME}",
        # Both files and folders are looked at once: a pod serves what it has loaded.
        "--model_config_file_poll_wait_seconds=0",
        "--file_system_poll_wait_seconds=0",
        # Labels stand in the file when the server starts, before anything is loaded.
        "--allow_version_labels_for_unavailable_models=true",
        # A load that is tried again has a thread of its own, beside the requests.
        "--num_load_threads=1",
        "--enable_batching=true",
        "--enable_per_model_batching_parameters=true",
        f"--batching_parameters_file={_CONFIG_FOLDER}/{_BATCHING}",
        f"--monitoring_config_file={_CONFIG_FOLDER}/{_MONITORING}",
        # A container sees all cores of its node, even those that it may not use.
        f"--tensorflow_session_parallelism={threads}",
        f"--rest_api_num_threads={2 * threads}",
        # Clients connect again, and only then ask the Service for new pods and for ended ones. A
        # third of the time to drain leaves two for answers of DNS that are still cached.
        f"--grpc_channel_arguments=grpc.max_connection_age_ms={drain // 3}",
    ]


def _pod(serving: Serving, configuration: str, selector: dict[str, str]) -> Manifest:
    settings, rollout = serving.settings, serving.rollout
    volumes = [("config", _CONFIG_FOLDER, {"configMap": {"name": configuration}})]
    volumes.append(("scratch", "/tmp", pods.empty_folder(64)))
    for index, volume in enumerate(settings.volumes):
        volumes.append((f"volume-{index}", volume.mount, pods.volume_source(volume)))
    if settings.model_uri is not None:
        mib = math.ceil(1.1 * sum(serving.sizes.values()) / 2**20) + 16
        volumes.append(("models", rollout.base_path, pods.empty_folder(mib)))
    model, label = (urllib.parse.quote(one, safe="") for one in (rollout.name, settings.label))
    newest = max(rollout.served)
    tries = math.ceil(settings.load_seconds / _PROBE_SECONDS)
    command = [pods.literal(word) for word in _command(serving)]
    container: Manifest = {
        "name": CONTAINER,
        "image": settings.image,
        "command": command[:1],
        "args": command[1:],
        "env": _environment(settings.environment),
        **pods.container_limits(settings),
        "ports": [
            {"name": "grpc", "containerPort": _GRPC},
            {"name": "rest", "containerPort": _REST},
        ],
        # The server answers as soon as any version has loaded. So a finished rollout says that
        # every pod has loaded the newest one; a pod that cannot is started again, and the old ones
        # stay.
        "startupProbe": {**_probe(f"{model}/versions/{newest}"), "failureThreshold": tries},
        "readinessProbe": {**_probe(f"{model}/labels/{label}"), "failureThreshold": 3},
        # The pod is taken out of the Service at once; its clients learn of it within this time.
        "lifecycle": {"preStop": {"sleep": {"seconds": settings.drain_seconds}}},
        # TensorFlow Serving writes nothing to any of them.
        "volumeMounts": [
            {"name": name, "mountPath": mount, **({} if name == "scratch" else {"readOnly": True})}
            for name, mount, _ in volumes
        ],
    }
    return {
        "terminationGracePeriodSeconds": settings.drain_seconds + 10,
        **pods.pod_limits(settings),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
                "matchLabelKeys": ["pod-template-hash"],
            }
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ],
        **({} if settings.model_uri is None else {"initContainers": [_fetch(serving)]}),
        "containers": [container],
        "volumes": [{"name": name, **source} for name, _, source in volumes],
    }


def _probe(version: str) -> Manifest:
    """Returns a probe that succeeds while a version is AVAILABLE.

    It asks for the metadata, for which the server needs the loaded version. The state alone is
    told with HTTP 200 whatever it is, and for a label it is the state of all versions.
    """
    return {
        "httpGet": {"path": f"/v1/models/{version}/metadata", "port": _REST},
        "periodSeconds": _PROBE_SECONDS,
        "timeoutSeconds": _PROBE_SECONDS,
    }


def _fetch(serving: Serving) -> Manifest:
    """Returns the container that copies the served versions, which ends before the server starts.

    TensorFlow Serving itself reads no `s3://` since its version 2.7.
    """
    settings, rollout = serving.settings, serving.rollout
    pods.check_image(settings.worker_image, "worker_image")
    words = [
        *("python", "-m", "pipeline.models", "fetch"),
        f"--export_dir={rollout.base_path}",
        f"--source={settings.model_uri}",
        f"--versions={','.join(map(str, sorted(rollout.served)))}",
    ]
    return {
        "name": "fetch",
        "image": settings.worker_image,
        "args": [pods.literal(word) for word in words],
        # The root file system is read-only, and the user's home on it.
        "env": _environment({"HOME": "/tmp", **settings.environment}),
        **pods.environment_from(settings),
        **pods.container_limits(settings),
        "volumeMounts": [
            {"name": "scratch", "mountPath": "/tmp"},
            {"name": "models", "mountPath": rollout.base_path},
        ],
    }


def _environment(variables: dict[str, str]) -> list[Manifest]:
    return [{"name": name, "value": pods.literal(value)} for name, value in variables.items()]

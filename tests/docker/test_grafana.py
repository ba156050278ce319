"""Dashboard and alerts name metrics, labels and values that the client exports."""

import json
import re

import pytest
import yaml

from serving_signatures.client.channel import open_channel
from serving_signatures.client.metrics import ClientCollector
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docker" / "grafana"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]] + [
    rule["expr"] for rule in ALERTS
]
# As TensorFlow Serving 2.16 has them: in servables/tensorflow/util.cc.
OF_SERVING = {
    ":tensorflow:serving:request_count": {"model_name", "status"},
    ":tensorflow:serving:request_latency_bucket": {"model_name", "API", "entrypoint", "le"},
    ":tensorflow:serving:runtime_latency_bucket": {"model_name", "API", "runtime", "le"},
}
OF_PROMETHEUS = {"instance", "job"}
METRIC = re.compile(r"(:?[a-z][a-z_:]+)(?:\{([^}]*)\})?\[")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|=)"([^"]*)"')


@pytest.fixture(scope="module")
def exported():
    """Labels by metric, and the values of those labels that never change."""
    labels, values = dict(OF_SERVING), {}
    with open_channel("localhost:1") as channel:
        client = RankingClient(RemoteModel(channel, "m"))
        for family in ClientCollector({"stable": client}).collect():
            if family.type == "histogram":
                of_family = {"client", "signature", "outcome"}
                labels[f"{family.name}_bucket"] = of_family | {"le"}
                labels[f"{family.name}_count"] = of_family
            for sample in family.samples:
                labels[sample.name] = set(sample.labels)
                for label in {"cache", "result"} & set(sample.labels):
                    values.setdefault((sample.name, label), set()).add(sample.labels[label])
    return labels, values


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_an_expression_reads_is_exported(expression, exported):
    labels, values = exported
    found = METRIC.findall(expression)
    assert len(found) == expression.count("[") > 0
    grouped = {
        label.strip()
        for group in re.findall(r"(?:by|on) \(([^)]*)\)", expression)
        for label in group.split(",")
    }
    for metric, matchers in found:
        assert metric in labels
        for label, sign, value in MATCHER.findall(matchers):
            assert label in labels[metric]
            if (metric, label) in values and sign != "!=":
                assert set(value.split("|")) <= values[metric, label]
    assert grouped <= set().union(OF_PROMETHEUS, *(labels[metric] for metric, _ in found))


def test_alerts_that_panels_name_are_there_and_have_a_test():
    names = {rule["alert"] for rule in ALERTS}
    told = {
        name
        for panel in PANELS
        for name in re.findall(r"(?:Ranking|Serving)[A-Z]\w+", panel["description"])
    }
    assert told == names
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))["tests"]
    assert {one["alertname"] for test in tests for one in test["alert_rule_test"]} == names
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in ALERTS)


def test_panels_lie_beside_each_other_and_ask_the_chosen_source():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    for text in [json.dumps(panel) for panel in PANELS]:
        used = set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval"}
        assert used <= variables
        assert '"uid": "${datasource}"' in text

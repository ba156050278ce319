"""Figures, tables and headline of the report show the numbers of the data."""

import pytest


def set_auc(data):
    data["metrics"]["dmf"]["slices"]["history_length"][1]["auc"] = 0.9


def set_latency(data):
    data["latency"]["models"]["early_fusion"]["p50_ms"] = 45.0


def set_quarantine(data):
    data["manifest"]["counts"]["quarantined"] = {"null_id": 14}


def set_similarity(data):
    similarity = data["manifest"]["similarity"]["text"]
    similarity["label_0"], similarity["label_1"] = similarity["label_1"], similarity["label_0"]


def set_history(data):
    data["manifest"]["splits"]["test"]["history_length"] = {"0": 9, "50": 81}


def set_curve(data):
    data["training"]["dmf"]["history"][1]["val_logloss"] = 0.5


def set_end(data):
    data["training"]["dmf"]["stopped"]["sentence"] = "Stopped after 3 passes: patience"


def set_calibration(data):
    data["metrics"]["dmf"]["calibration_curve"][1]["observed"] = 0.5


def set_mass(data):
    data["attention_mass"]["text"]["mass"][1][3] = 0.15


def set_unknown(data):
    data["metrics"]["dmf"]["slices"]["similarity_text"][1]["auc"] = 0.55


def set_top(data):
    data["scored"]["top"][0]["probability"] = 0.5


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (set_auc, "1-4: AUC +0.0200", "1-4: AUC +0.2000"),
        (set_latency, "Early fusion: median 30.00 ms", "Early fusion: median 45.00 ms"),
        (set_quarantine, "= 980 written", "≠ 980 written"),
        # .75 * .625 + (.25 * .625 + .75 * .375) / 2
        (set_similarity, "by itself, over pairs68.8%", "by itself, over pairs31.2%"),
        # .4 + .1 of attention over .2 + .05 of behaviors
        (
            set_mass,
            "cosines 0.30 to 1.00: 50.0% of attention, 25.0% of behaviors",
            "cosines 0.30 to 1.00: 25.0% of attention, 25.0% of behaviors",
        ),
        (set_unknown, "unknown: AUC +0.0000", "unknown: AUC -0.0500"),
        (set_history, "test, 0 behaviors: 3 requests", "test, 0 behaviors: 9 requests"),
        (set_curve, "DMF, step 20: Log loss 0.5600", "DMF, step 20: Log loss 0.5000"),
        (set_end, "DMF: Stopped after 0.5 passes: ", "DMF: Stopped after 3 passes: patience."),
        (set_calibration, "DMF: 5.5 points off on average", "DMF: 17.5 points off on average"),
        (set_top, "Alien91.0%", "Alien50.0%"),
    ],
)  # fmt: skip
def test_numbers_follow_the_data(data, page, change, before, after):
    text = page(data).text
    assert before in text and after not in text
    change(data)
    text = page(data).text
    assert after in text and before not in text


def test_headline_compares_with_the_baseline(data, page):
    assert "0.8200 +0.0200 against ID-only" in page(data).text
    data["metrics"]["dmf"]["auc"] = 0.79
    found = page(data)
    assert "0.7900 −0.0100 against ID-only" in found.text
    assert "note bad" in {attrs.get("class") for _, attrs in found.tags}

"""Captions and headline of the report say what the data says."""

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


def set_calibration(data):
    data["metrics"]["dmf"]["calibration_curve"][1]["observed"] = 0.5


def set_bias(data):
    data["bucket_effect"]["text"]["bias"][1] = [0.9, 0.7]


def set_type_bias(data):
    data["bucket_effect"]["text"]["bias_by_type"][1][1] = [2.0, 1.0]


def set_mass(data):
    data["attention_mass"]["text"]["mass"][1][3] = 0.15


def set_unknown(data):
    data["metrics"]["dmf"]["slices"]["similarity_text"][1]["auc"] = 0.55


def set_top(data):
    data["scored"]["top"][0]["probability"] = 0.5


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (set_auc, "at 1–4 (+0.0200, 123 candidates)", "at 1–4 (+0.2000, 123 candidates)"),
        (set_latency, "Early fusion 30.0 ms (3.00 times DMF)", "45.0 ms (4.50 times DMF)"),
        (set_quarantine, "= 980 written", "≠ 980 written"),
        # .75 * .625 + (.25 * .625 + .75 * .375) / 2
        (set_similarity, "the higher in 68.8% of draws", "the higher in 31.2% of draws"),
        # .4 + .1 of attention over .2 + .05 of behaviors
        (
            set_mass,
            "cosines 0.30 to 1.00 (2.00 times the share of behaviors)",
            "cosines 0.00 to 0.30 (1.00 times the share of behaviors)",
        ),
        (
            set_type_bias,
            "type 1 from −0.300 to +0.700, highest for cosines 0.30 to 1.00",
            "type 1 from 0.000 to +1.500, highest for cosines −1.00 to 0.00",
        ),
        (
            set_unknown,
            "smallest at unknown (0.0000, 60)",
            "smallest at unknown (−0.0500, 60)",
        ),
        (set_history, "no history: 1% of train and 3% of test", "1% of train and 10% of test"),
        (set_curve, "DMF: lowest validation log loss 0.5500 at step 10 (0.5600 at the end",
         "DMF: lowest validation log loss 0.5000 at step 20 (the end)"),
        (set_calibration, "DMF is 5.5 points off on average, most at a predicted 80%",
         "DMF is 17.5 points off on average"),
        (set_bias, "highest, +0.300 for cosines 0.30 to 1.00", "highest, +0.800"),
        (set_top, "“Alien” comes first with a predicted 91.0%", "a predicted 50.0%"),
    ],
)  # fmt: skip
def test_captions_follow_the_data(data, page, change, before, after):
    # The bias is told of buckets that have pairs; without counts, of all.
    if change is set_bias:
        del data["manifest"]["similarity"]
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

"""The sentences of an ablation follow its figures."""

from typing import Any

from pipeline.training_runs import findings

RELATED = {"pairs": 100, "known": 90, "distinct": 50}
RELATED |= {"cosine": 0.3, "shuffled": 0.1, "shuffled_most": 0.2}


def lost(gauc: float, auc: float | None = None, spread: float = 0.001) -> dict[str, Any]:
    """A loss of GAUC and AUC, each within its interval."""
    found: dict[str, Any] = {}
    for metric, value in (("gauc", gauc), ("auc", auc)):
        found[f"{metric}_loss"] = value
        ends = None if value is None else [value - spread, value + spread]
        found[f"{metric}_loss_interval"] = ends
    return found


def said(
    others: dict[str, Any],
    baselines: tuple[str, ...] = ("id_only",),
    content: dict[str, Any] | None = None,
    slices: list[dict[str, Any]] | None = None,
    latencies: dict[str, float] | None = None,
) -> list[str]:
    figures = {
        "model": "dmf",
        "baselines": list(baselines),
        "others": others,
        "content": {"text": RELATED} if content is None else content,
        "slices": {"item_train_count": slices or [], "history_length": []},
    }
    return list(findings.of(figures, latencies or {}))


def test_content_that_adds_is_said_with_its_interval_and_its_part() -> None:
    paths = {"attention": lost(0.004), "histogram": lost(0.008), "candidate_content": lost(0.0)}
    found = said({**paths, "id_only": lost(0.0121, 0.01)})
    assert found[0] == (
        "Content adds to ids: DMF is ahead of ID-only by 0.0121 GAUC (95% 0.0111 to 0.0131) and "
        "0.0100 AUC (95% 0.0090 to 0.0110)."
    )
    assert found[1] == "Of its content, DMF uses tiers, kernel and product of similarity most."
    assert (
        "Without content in the attention, DMF loses 0.0040 GAUC (95% 0.0030 to 0.0050)." in found
    )
    assert any("own embedding, DMF loses nothing measurable: 0.0000 GAUC" in one for one in found)


def test_a_gain_that_a_seed_could_make_is_called_little() -> None:
    assert "another seed" in said({"id_only": lost(0.0015, 0.0012)})[1]
    assert not any("another seed" in one for one in said({"id_only": lost(0.0025, 0.0012)}))


def test_id_only_would_do_and_is_faster() -> None:
    latencies = {"dmf": 10.0, "id_only": 2.5}
    found = said({"id_only": lost(0.0004, -0.0002), "item_ids": lost(0.1)}, latencies=latencies)
    assert found[0] == (
        "ID-only would do. Content adds nothing measurable: 0.0004 GAUC (95% −0.0006 to 0.0014) "
        "and −0.0002 AUC (95% −0.0012 to 0.0008). Train model.name=id_only; ID-only is served in "
        "0.25 of the time."
    )
    assert not any("Content does most" in one for one in found)


def test_a_model_that_falls_behind_another_is_told() -> None:
    (found,) = said({"simtier": lost(-0.003)}, ("simtier",), {})
    assert found == "DMF is behind simtier by 0.0030 GAUC (95% 0.0020 to 0.0040). Take simtier."


def test_without_a_baseline_the_model_itself_shows_that_it_reads_no_content() -> None:
    assert "DMF does as well without its content" in said({"content": lost(0.0)}, ())[0]
    assert "DMF does as well without its content" in said({"item_ids": lost(0.1)}, ())[0]
    assert not any("as well" in one for one in said({"content": lost(0.01)}, ()))


def test_a_path_that_takes_away_is_told() -> None:
    found = said({"item_ids": lost(-0.01)}, ())
    assert "Without item ids, DMF is better by 0.0100 GAUC (95% 0.0090 to 0.0110)." in found


def test_slices_with_few_candidates_are_not_compared() -> None:
    def one(name: str, loss: float, candidates: int) -> dict[str, Any]:
        return {"slice": name, "candidates": candidates, "others": {"id_only": lost(0, loss)}}

    slices = [one("0", 0.02, 900), one("1-9", 0.09, 499), one("10+", -0.004, 5000)]
    found = said({"id_only": lost(0.01)}, slices=slices)
    assert found[-1] == (
        "Content does most for items that train shows 0 times (AUC +0.0200, 95% 0.0190 to 0.0210, "
        "900 candidates), least for items that train shows 10+ times (AUC −0.0040, 95% −0.0050 to "
        "−0.0030, 5,000 candidates)."
    )


def test_a_log_without_usable_content_comes_first() -> None:
    rare = {**RELATED, "known": 1}
    same = {**RELATED, "distinct": 1}
    random = {**RELATED, "cosine": 0.15}
    for values, text in (
        (rare, "text similarity is known for 1% of the pairs"),
        (same, "all text similarities are the same"),
        (random, "text vectors could as well be shuffled between the items"),
    ):
        first, *rest = said({"id_only": lost(0.01)}, content={"text": values})
        assert first.startswith(f"This log has no usable content: {text}")
        assert rest[0].startswith("DMF is ahead of ID-only by 0.0100")
        assert rest[1].startswith("What it gains is not what content means")
    found = said({"id_only": lost(0.01)}, content={"text": same, "image": RELATED})
    assert found[0].startswith("Content adds to ids")
    assert found[-1].startswith("One modality could go: all text similarities are the same")

"""MIND: values, quarantine, splits, and a join held to plain Python."""

import collections
import datetime
import json
import random

import pytest

from features.errors import UserInputError
from pipeline.adapters import mind
from tests.pipeline.adapters import converted
from tests.pipeline.join import oracle

ENTITIES = json.dumps(
    [
        {"Label": "Heart", "Type": "C", "WikidataId": "Q1072", "Confidence": 1.0},
        {"WikidataId": "Q5"},
    ]
)


def impression(number, user="U1", time="11/11/2019 9:05:58 AM", history="N8 N9", shown="N1-1 N2-0"):
    return f"{number}\t{user}\t{time}\t{history}\t{shown}"


def news(item, title="Brands of the queen", entities=ENTITIES):
    fields = (item, "life", "royals", title, "", "https://x", entities, "[]")
    return "\t".join(fields)


def write(folder, train, dev=(), test=(), news=(), prefix=""):
    for name, lines in (("train", train), ("dev", dev), ("test", test)):
        if lines:
            split = folder / f"{prefix}{name}"
            split.mkdir(parents=True)
            (split / "behaviors.tsv").write_text("".join(f"{line}\n" for line in lines))
            (split / "news.tsv").write_text("".join(f"{line}\n" for line in news))
    return folder


def test_values(tmp_path):
    dev = [impression(1, time="11/15/2019 12:00:00 AM", shown="N3-1")]
    source = write(tmp_path / "in", [impression(1)], dev, news=[news("N1"), news("N2", '"It"')])
    done = converted.convert(mind, source, tmp_path / "out", max_bad_fraction=0.0)
    names = ("request_id", "user_id", "item_id", "timestamp", "click", "split")
    assert converted.rows(tmp_path / "out", "events") == [
        dict(zip(names, row, strict=True))
        for row in [
            ("train-1", "U1", "N1", 1573463158, 1, "train"),
            ("train-1", "U1", "N2", 1573463158, 0, "train"),
            ("validation-1", "U1", "N3", 1573776000, 1, "validation"),
        ]
    ]
    histories = converted.rows(tmp_path / "out", "histories")
    assert histories == [{"user_id": "U1", "item_id": ["N8", "N9"]}]
    items = converted.rows(tmp_path / "out", "items")
    assert items[0] == {
        "item_id": "N1",
        "category": "life",
        "subcategory": "royals",
        "title": "Brands of the queen",
        "abstract": None,
        "title_entities": ["Q1072", "Q5"],
        "abstract_entities": [],
    }
    assert [item["title"] for item in items] == ["Brands of the queen", '"It"']
    assert done["counts"]["events"]["source_rows"] == 2
    assert done["counts"]["items"]["repeated"] == 2, "the news of dev are those of train"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11/15/2019 10:22:32 AM", "2019-11-15 10:22:32"),
        ("11/9/2019 1:02:03 PM", "2019-11-09 13:02:03"),
        ("11/09/2019 12:59:59 PM", "2019-11-09 12:59:59"),
        ("11/09/2019 12:00:01 AM", "2019-11-09 00:00:01"),
    ],
)
def test_times(tmp_path, text, expected):
    converted.convert(mind, write(tmp_path / "in", [impression(1, time=text)]), tmp_path / "out")
    moment = datetime.datetime.fromisoformat(f"{expected}+00:00").timestamp()
    assert converted.rows(tmp_path / "out", "events")[0]["timestamp"] == moment


BAD_IMPRESSIONS = {
    impression(2, time="15/11/2019 10:22:32 AM"): "time is '15/11/2019 10:22:32 AM', expected",
    impression(2, time="11/31/2019 10:22:32 AM"): "time is '11/31/2019",
    impression(2, time="11/15/2019 13:22:32 PM"): "time is '11/15/2019 13:22:32 PM'",
    impression(2, time="2019-11-15 10:22:32"): "time is '2019-11-15",
    impression(2, time=""): "time is ''",
    impression(2, shown=""): "impressions is empty",
    impression(2, shown="N1-1 N2"): "impressions is 'N1-1 N2', expected news ids that end in -0",
    impression(2, shown="N1-2"): "impressions is 'N1-2'",
    impression(2, shown="-1"): "impressions is '-1'",
    impression(2, user=" "): "user id is ' ', expected text that is not empty",
    impression("", shown="N1-1"): "impression id is ''",
    impression(2, history="N8"): "history differs from that of the same user in line 1, expected",
    "2\tU1\tN1-1": "has 3 fields, expected 5",
    impression(2) + "\tmore": "has 6 fields, expected 5",
}


@pytest.mark.parametrize("bad", BAD_IMPRESSIONS, ids=range(len(BAD_IMPRESSIONS)))
def test_broken_impressions_are_quarantined_alone(tmp_path, bad):
    source = write(tmp_path / "in", [impression(1), bad, impression(3)], prefix="MINDsmall_")
    converted.convert(mind, source, tmp_path / "out")
    (found,) = converted.quarantined(tmp_path / "out", "events")
    assert (found["file"], found["line"]) == ("MINDsmall_train/behaviors.tsv", 2)
    assert found["values"] == bad and found["reason"].startswith(BAD_IMPRESSIONS[bad])
    requests = [row["request_id"] for row in converted.rows(tmp_path / "out", "events")]
    assert requests == ["train-1", "train-1", "train-3", "train-3"]


def test_impressions_not_candidates_count_towards_the_limit(tmp_path):
    shown = " ".join(f"N{n}-0" for n in range(99))
    source = write(tmp_path / "in", [impression(1, shown=shown), impression(2, time="")])
    with pytest.raises(UserInputError, match=r"1 of 2 rows for events cannot be used.*line 2"):
        converted.convert(mind, source, tmp_path / "out", max_bad_fraction=0.4)


@pytest.mark.parametrize("candidates", [128, 131])
def test_no_impression_is_cut(tmp_path, candidates):
    shown = " ".join(f"N{n}-0" for n in range(candidates))
    source = write(tmp_path / "in", [impression(1), impression(2, shown=shown)])
    done = converted.convert(mind, source, tmp_path / "out")
    assert ("--max_candidates" in done["join_command"]) == (candidates > 128)
    options, _ = converted.join(done)
    records = [one for shard in oracle.read_records(options.output).values() for one in shard]
    assert sorted(len(one["candidate_item_id"]) for one in records) == [2, candidates]


def test_news_that_cannot_be_read(tmp_path):
    lines = [news("N1", entities="[{"), news(""), "N3\tlife", news("N4", entities="")]
    source = write(tmp_path / "in", [impression(1)], news=lines)
    with open(source / "train" / "news.tsv", "ab") as file:
        file.write(news("N5").encode().replace(b"queen", b"\xff"))
    done = converted.convert(mind, source, tmp_path / "out")
    assert [line for _, line, _ in converted.reasons(tmp_path / "out", "items")] == [2, 3, 5]
    assert done["counts"]["items"]["emptied"] == {"title_entities": 1}
    entities = [item["title_entities"] for item in converted.rows(tmp_path / "out", "items")]
    assert entities == [None, []]


def test_a_test_split_without_labels_is_left_out_and_said(tmp_path):
    test = [impression(1, user="U7", history="N1", shown="N1 N2")]
    source = write(tmp_path / "in", [impression(1)], test=test, prefix="MINDlarge_")
    done = converted.convert(mind, source, tmp_path / "out", max_bad_fraction=0.0)
    assert {row["split"] for row in converted.rows(tmp_path / "out", "events")} == {"train"}
    assert [row["user_id"] for row in converted.rows(tmp_path / "out", "histories")] == ["U1"]
    (note,) = (one for one in done["notes"] if "no test split" in one)
    assert "MINDlarge_test/behaviors.tsv says of no impression what was clicked" in note


def test_labels_are_missed_in_train(tmp_path):
    source = write(tmp_path / "in", [impression(1, shown="N1 N2")])
    with pytest.raises(UserInputError, match=r"1 of 1 rows.*impressions is 'N1 N2', expected"):
        converted.convert(mind, source, tmp_path / "out", max_bad_fraction=0.01)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["dev"], "has no folder train, or one such as MINDsmall_train.*It holds dev"),
        (["MINDsmall_train", "MINDlarge_train"], "splits of several releases"),
        (["MINDsmall_train", "MINDlarge_dev"], "MINDsmall_train: splits of several releases"),
        (["train", "dev", "valid"], "has train, dev, valid|has dev, train, valid"),
        (["train", "later"], r"later' holds behaviors\.tsv, but no split ends its name"),
    ],
)
def test_folders_that_cannot_be(tmp_path, folders, message):
    for name in folders:
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "behaviors.tsv").write_text(f"{impression(1)}\n")
        (tmp_path / "in" / name / "news.tsv").write_text("")
    with pytest.raises(UserInputError, match=message):
        converted.convert(mind, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_news_are_required(tmp_path):
    source = write(tmp_path / "in", [impression(1)])
    (source / "train" / "news.tsv").unlink()
    with pytest.raises(UserInputError, match=r"train' has no news\.tsv.*holds behaviors\.tsv"):
        converted.convert(mind, source, tmp_path / "out")


DAYS = {"train": 9, "dev": 15, "test": 16}


def drawn(differ):
    """Returns impressions by split as lines, and as tuples in the order of the log."""
    draw = random.Random(3)
    given = {
        f"U{n}": [f"N{draw.randrange(30)}" for _ in range(draw.randrange(5))] for n in range(6)
    }
    lines, shown = {}, []
    for split, day in DAYS.items():
        lines[split] = []
        for number in range(1, 41):
            user = f"U{draw.randrange(6)}"
            # Few minutes, so that some impressions of a user share their instant.
            hour, minute = draw.randrange(1, 13), draw.randrange(2)
            half = draw.choice(["AM", "PM"])
            time = f"11/{day}/2019 {hour}:{minute:02}:00 {half}"
            items = [f"N{item}" for item in draw.sample(range(30), draw.randrange(1, 5))]
            clicks = [draw.randrange(2) for _ in items]
            history = given[user] + (["N77"] if differ and split == "test" else [])
            tokens = " ".join(f"{item}-{k}" for item, k in zip(items, clicks, strict=True))
            lines[split].append(impression(number, user, time, " ".join(history), tokens))
            moment = datetime.datetime.strptime(time, "%m/%d/%Y %I:%M:%S %p")
            shown.append((split, number, user, moment, history, items, clicks))
    return lines, shown


def expected_records(shown, differ):
    """Returns each impression as split, request, user, candidates, labels and history."""
    records = collections.Counter()
    for split, number, user, moment, history, items, clicks in shown:
        earlier = [
            (when, place, item)
            for place, (at, _, who, when, _, others, clicked) in enumerate(shown)
            if who == user and when < moment and (at == split or not differ)
            for item, click in zip(others, clicked, strict=True)
            if click
        ]
        grown = [item for _, _, item in sorted(earlier, key=lambda one: one[:2])]
        name = "validation" if split == "dev" else split
        records[
            (
                name,
                oracle.int64(f"{name}-{number}"),
                oracle.int64(user),
                tuple(map(oracle.int64, items)),
                tuple(map(float, clicks)),
                tuple(map(oracle.int64, history + grown))[-50:],
            )
        ] += 1
    return records


@pytest.mark.parametrize("differ", [False, True])
def test_result_joins_as_plain_python_does(tmp_path, differ):
    lines, shown = drawn(differ)
    items = [news(f"N{n}") for n in range(25)]
    source = write(tmp_path / "in", lines["train"], lines["dev"], lines["test"], news=items)
    done = converted.convert(mind, source, tmp_path / "out", max_bad_fraction=0.0)
    assert any("per split" in note for note in done["notes"]) == differ
    options, joined = converted.join(done)
    assert joined["counts"]["quarantined"] == {}
    found = converted.joined_requests(options, ("train", "validation", "test"))
    assert found == expected_records(shown, differ)
    assert len(found) == 120
    features = {one["name"]: one["kind"] for one in joined["schema"]["item_features"]}
    assert features["title_entities"] == "categorical"

import pytest

from features.errors import UserInputError
from pipeline.daily_cycle import config, part_names, places

BASE = {
    "work": "cycle",
    "events": "log/{part}/",
    "join": {"splits": "train:..2030-01-01,test:2030-01-01..", "timestamp_unit": "ms"},
    "label_logs": {"click": "clicks/{part}/"},
    "embeddings": {"text": "text/"},
}


def written(tmp_path, **changes):
    path = tmp_path / "production.py"
    path.write_text(f"def get_config():\n    return { ({**BASE, **changes})!r}\n")
    return str(path)


def test_the_join_of_a_part(tmp_path):
    options = config.load(written(tmp_path)).join_options("2026-05-02")
    assert options.events == ("log/2026-05-02/",)
    assert options.label_logs == {"click": ("clicks/2026-05-02/",)}
    assert options.output == "cycle/examples" and options.part == "2026-05-02"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"events": "log/"}, "events must have {part} once"),
        ({"label_logs": {"click": "clicks/{part}/{part}"}}, "click must have {part} once"),
        ({"join": {"splits": BASE["join"]["splits"], "part": "a"}}, "which the cycle itself sets"),
        ({"join": {}}, "join must have splits"),
        ({"update": {"epochs": 0}}, "epochs"),
        ({"update": {"epoch": 1}}, "epoch"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"gate": {"los": 1}}, "gate.los"),
        ({"keep": {"versions": 1}}, "keep.versions"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, reason):
    with pytest.raises(UserInputError) as raised:
        config.load(written(tmp_path, **changes))
    assert reason in str(raised.value)


def test_an_update_differs_from_the_first_training_by_what_is_given(tmp_path):
    loaded = config.load(written(tmp_path, training={"seed": 3}, update={"epochs": 1}))
    first, update = (loaded.run_config(is_update).training for is_update in (False, True))
    assert first.seed == update.seed == 3
    assert update.epochs == 1 != first.epochs


def test_parts_are_what_the_log_has(tmp_path):
    for name in ("2026-05-01", "2026-05-02", "2026-05-04", ".hidden", "_SUCCESS"):
        (tmp_path / "log" / name).mkdir(parents=True)
    (tmp_path / "log" / "2026-05-03").write_text("a file, and no folder")
    pattern = f"{tmp_path}/log/{{part}}/"
    assert part_names.names(pattern) == ["2026-05-01", "2026-05-02", "2026-05-04"]
    assert part_names.between(pattern, "2026-05-02", "2026-05-31") == ["2026-05-02", "2026-05-04"]
    with pytest.raises(UserInputError, match=r"no part from '2026-06-01'.*there are: 2026-05-01"):
        part_names.between(pattern, "2026-06-01", "2026-06-02")
    with pytest.raises(UserInputError, match="comes after --to"):
        part_names.between(pattern, "2026-06-02", "2026-06-01")


@pytest.mark.parametrize(
    ("pattern", "file"),
    [("{part}.parquet", "a-1.parquet"), ("day={part}/x.csv", "day=a-1/x.csv"), ("{part}", "a-1")],
)
def test_a_part_may_be_a_file_or_within_a_name(tmp_path, pattern, file):
    path = tmp_path / "lo[g" / file
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert part_names.names(f"{tmp_path}/lo[g/{pattern}") == ["a-1"]


def test_parts_of_a_remote_log_are_not_listed():
    with pytest.raises(UserInputError, match="Give each by --part"):
        part_names.names("s3://bucket/log/{part}/")


@pytest.mark.parametrize("name", ["", "../other", "a/b", ".hidden", "-a", "a b", "a\n"])
def test_what_is_no_name_of_a_part_never_becomes_a_path(name):
    with pytest.raises(UserInputError, match="no name of a part"):
        part_names.check(name)


def test_half_of_a_log_is_noticed_whatever_thresholds_are_given(tmp_path):
    assert config.load(written(tmp_path)).drift.rows_ratio == 1.8
    assert config.load(written(tmp_path, drift={"label_rate": 0.2})).drift.rows_ratio == 1.8
    assert config.load(written(tmp_path, drift={"rows_ratio": 4.0})).drift.rows_ratio == 4.0


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"work": "log/2026-05-02"}, "events"),
        ({"work": "text"}, "embeddings.text"),
        ({"items": "cycle/items"}, "items"),
        ({"join": {**BASE["join"], "users": ["cycle"]}}, "users"),
        ({"caches": {"items": "cycle/catalog"}}, "caches.items"),
        ({"work": "clicks/2026-05-02/work"}, "label_logs.click"),
    ],
)
def test_the_cycles_folder_leaves_its_inputs_alone(tmp_path, changes, name):
    with pytest.raises(UserInputError, match=f" {name} .*the job would write over"):
        places.check(config.load(written(tmp_path, **changes)), "2026-05-02")
    places.check(config.load(written(tmp_path)), "2026-05-02")

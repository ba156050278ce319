"""The demo's input, from the embedded ratings or from a folder."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import embedding_set
from features.errors import UserInputError
from pipeline.end_to_end import demo_data
from pipeline.training_runs.run_config import DataConfig


def test_embedded_ratings_have_content_that_follows_genres(tmp_path) -> None:
    data = demo_data.prepare(DataConfig(content_dimension=16), str(tmp_path))
    assert pq.read_metadata(data.events).num_rows == 100_004
    items = pq.read_table(data.items).to_pandas().set_index("item_id")
    content = embedding_set.read_embedding_set(data.embeddings["text"])
    assert content.item_ids.tolist() == sorted(data.titles)
    cosines = content.quantized[:500].astype(float) @ content.quantized[:500].T
    norms = np.maximum(content.norms[:500], 1e-9)
    cosines /= norms[:, None] * norms[None, :]
    genres = [set(items.genres[item]) for item in content.item_ids[:500]]
    same = np.array([[one == other for other in genres] for one in genres])
    off_diagonal = ~np.eye(500, dtype=bool)
    assert cosines[same & off_diagonal].mean() > cosines[~same].mean() + 0.2


def test_folder_gives_its_own_embeddings_and_years(tmp_path) -> None:
    source = tmp_path / "source"
    (source / "embeddings").mkdir(parents=True)
    ratings = {"user_id": ["a"], "item_id": [7], "timestamp": [1], "rating": [4.0]}
    pq.write_table(pa.table(ratings), source / "ratings.parquet")
    films = {"item_id": [7, 8], "title": ["Up (2009)", "Untitled"], "genres": ["A|B", "C"]}
    pq.write_table(pa.table(films), source / "items.parquet")
    embedding_set.write_embedding_set(
        str(source / "embeddings" / "text"), np.array([7, 8]), np.eye(2, dtype=np.float32), "e", "1"
    )
    data = demo_data.prepare(DataConfig(source=str(source)), str(tmp_path / "prepared"))
    items = pq.read_table(data.items).to_pydict()
    assert items["year"] == [2009, None]
    assert items["genres"] == [["A", "B"], ["C"]]
    assert data.embeddings == {"text": str(source / "embeddings" / "text")}
    assert data.titles[8] == "Untitled"


def test_folder_of_other_formats_and_layouts(tmp_path) -> None:
    source = tmp_path / "source"
    (source / "ratings" / "date=1").mkdir(parents=True)
    (source / "ratings" / "_SUCCESS").write_text("")
    ratings = {"user_id": ["a"], "item_id": ["x"], "timestamp": [1], "rating": [4.0]}
    pq.write_table(pa.table(ratings), source / "ratings" / "date=1" / "part-0.parquet")
    (source / "items.csv").write_text("item_id,title,genres\nx,Up (2009),A|B\ny,Untitled,C\n")
    (source / "embeddings").mkdir()
    (source / "embeddings" / "text.parquet").write_bytes(b"")
    config = DataConfig(source=str(source))
    data = demo_data.prepare(config, str(tmp_path / "prepared"))
    assert data.events == str(source / "ratings")
    items = pq.read_table(data.items).to_pydict()
    assert items["year"] == [2009, None] and items["genres"] == [["A", "B"], ["C"]]
    assert data.titles == {"x": "Up (2009)", "y": "Untitled"}
    (source / "ratings.csv").write_text("user_id,item_id,timestamp,rating\na,x,1,4\n")
    with pytest.raises(UserInputError, match=r"several: ratings, ratings\.csv"):
        demo_data.prepare(config, str(tmp_path / "prepared"))


def test_folder_of_another_layout_is_refused(tmp_path) -> None:
    with pytest.raises(UserInputError, match=r"one ratings\.parquet, received none; expected"):
        demo_data.prepare(DataConfig(source=str(tmp_path)), str(tmp_path / "prepared"))
    pq.write_table(pa.table({"user_id": [1]}), tmp_path / "ratings.parquet")
    pq.write_table(pa.table({"item_id": [1]}), tmp_path / "items.parquet")
    with pytest.raises(UserInputError, match="title"):
        demo_data.prepare(DataConfig(source=str(tmp_path)), str(tmp_path / "prepared"))

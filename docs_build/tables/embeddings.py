"""The table of the error of quantization."""

from docs_build import results
from docs_build.tables.table import Table, markdown

_SETS = {
    "movielens_text": "MovieLens, titles and genres by a sentence encoder",
    "movielens_image": "MovieLens, posters by an image encoder",
    "microlens_text": "MicroLens, titles by a sentence encoder",
    "simulated_text": "`pipeline.simulate`, `text`",
    "simulated_image": "`pipeline.simulate`, `image`",
}


def _quantization() -> str:
    """Errors of the code against exact cosines, one row per set."""
    rows = []
    for row in results.load("quantization.json")["rows"]:
        errors = ("quantized_mean_error", "code_mean_error", "code_largest_error")
        rows.append(
            (
                _SETS[row["set"]],
                str(row["dimension"]),
                *(f"{row[name]:.4f}" for name in errors),
                f"{row['mean_rank_correlation']:.4f}",
                f"{100 * row['other_bucket']:.1f}%",
            )
        )
    head = ("set", "M", "int8, mean error", "code, mean error", "code, largest error")
    return markdown((*head, "rank correlation", "other bucket"), rows, numeric=True)


TABLES: dict[str, Table] = {
    "embeddings.quantization": _quantization,
}

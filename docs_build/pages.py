"""The pages of the documentation."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def pages(root: Path = REPOSITORY) -> list[Path]:
    """Returns the pages of the site, those of the top first."""
    top = (root / name for name in ("README.md", "BUILD.md", "CHANGELOG.md"))
    return [*(page for page in top if page.is_file()), *sorted((root / "docs").rglob("*.md"))]

"""A run's values and the report's page of them."""

import pytest

from tests.pipeline.report import report_page


@pytest.fixture
def data():
    return report_page.run_values()


@pytest.fixture
def page(tmp_path, caplog):
    """Renders a page, of which no part may fail."""

    def rendered(values):
        found = report_page.rendered(values, tmp_path)
        assert not [one.getMessage() for one in caplog.records if "Left out" in one.getMessage()]
        return found

    return rendered

"""A run's values and the report's page of them."""

import pytest

from tests.pipeline.report import report_page


@pytest.fixture
def data():
    return report_page.run_values()


@pytest.fixture
def page(tmp_path):
    return lambda values: report_page.rendered(values, tmp_path)

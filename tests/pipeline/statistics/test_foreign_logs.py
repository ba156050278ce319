"""Any schema and layout: the figures of the plain log, or an error that names what does not fit."""

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from features.errors import UserInputError
from pipeline.statistics import inspection
from pipeline.statistics.log_source import LogSource
from tests.pipeline.join.inputs import foreign

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=30, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
@given(foreign.logs())
def test_any_log_has_the_figures_of_the_plain_one_or_is_refused(spec):
    log = foreign.rows()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        foreign.write(spec, folder / "log", log)
        source = LogSource(str(folder / "log"), ("click",))
        try:
            found = inspection.inspect(source, {}, None, str(folder / "out"))
        except UserInputError as error:
            assert spec["odd"] is not None, f"{error}"
            assert "--events" in str(error) and not (folder / "out").exists()
            return
    values = found.statistics["log"]
    assert values["rows"] == foreign.ROWS and json.dumps(values)
    if spec["odd"] is not None:
        # What the join puts into quarantine is a finding.
        assert found.assessment.is_bad
        return
    label, time = values["labels"]["click"], values["time"]
    assert (label["known"], label["positives"]) == (24, sum(row["click"] for row in log))
    assert (time["first"], time["last"]) == tuple(
        log[place]["timestamp"] * 10**6 for place in (0, -1)
    )
    assert time["out_of_range"] == 0
    for name in ("user_id", "item_id", "price"):
        distinct = {row[name] for row in log}
        assert values["columns"][name]["distinct"] == len(distinct)
    assert values["columns"]["price"]["mean"] * 24 == sum(row["price"] for row in log)

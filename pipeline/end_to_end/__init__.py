"""The whole path of `pipeline.run`, from a log to a verified model.

- `run_inputs`: what the output of a run must leave alone.
- `steps`: the steps in order, and what each leaves for the next.
- `demo_data`: the demo's ratings, films and content.
- `scored_request`: one request for a person to look at.
- `latency`: models compared on one request.
- `run_summary`: `summary.json`, `report.json` and the lines on the terminal.
"""

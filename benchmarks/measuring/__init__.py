"""How a benchmark measures and records.

- `market_days`: a simulated market as a log of days.
- `measured_process`: time and memory of a command and its children.
- `result_file`: the JSON file with command and versions.
"""

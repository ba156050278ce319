"""How a benchmark measures and records.

- `measured_process`: time and memory of a command and its children.
- `result_file`: the JSON file with command and versions.
"""

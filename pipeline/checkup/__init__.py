"""What the doctor looks at: facts of this machine and environment, and checks of facts.

- `examination`: all checks, in order, and their outcomes.
- `package_checks`, `machine_checks`: the checks, functions from facts to findings.
- `facts`: `Facts`, everything that the checks read, what is installed, required and pinned among
  it; with `child_process` (what happens when a library is loaded) and `machine` (memory, CPUs,
  folders).
"""

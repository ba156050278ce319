"""What the doctor looks at: facts of this machine and environment, and checks of facts.

- `examination`: all checks, in order; `package_checks`, `machine_checks`: the checks, functions
  from facts to findings; `outcome`: a finding and its check.
- `facts`: `Facts`, everything that the checks read, and how it is gathered; of
  `distributions` (what is installed, required and pinned), `child_process` (what happens when a
  library is loaded) and `machine` (memory, CPUs, folders).
"""

"""What the doctor looks at: facts of this machine and environment, and checks of facts.

- `facts`: `Facts`, everything that the checks read, and how it is gathered; of
  `distributions` (what is installed, what is asked for), `child_process` (what happens when a
  library is loaded), `folders` and `machine` (memory, CPUs).
- `outcome`: what a check says.
- `package_checks`, `machine_checks`: the checks, functions from facts to outcomes.
"""

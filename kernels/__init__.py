"""Optional native kernels: the passes over pairs and rows that stock ops make many times over.

`make kernels` builds one shared library from `cc/`; without it everything works on stock ops.

- `library`: whether the kernels are used, and where the library is; `build` compiles it.
- `pairs`: codes, attention weights and sums over a candidate's behaviors, with their gradients.
- `rows`: the optimizer's step over the rows of a table.

Each op of `cc/NAME.cc` has its loops in `cc/NAME.inc`, which are compiled for several instruction
sets (`cc/instruction_sets.h`).
"""

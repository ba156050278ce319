"""Builds the documentation: figures and tables from their sources, the site, checks of commands.

`python -m docs_build --write` fills the marked regions of the pages, `--check` compares them.

markdown     where a page has code, so that a marker or a link in it is not taken for one
regions      the marked regions of a page
registry     the figures and tables by name
figures      figures of `benchmarks/results/`
tables/      tables of results, settings, flags and capacity
job_flags    the flags of a job
capacity_formulas  sizes from counts, for the page about capacity
code_blocks  the commands of a page, and whether what they name exists
links        the links of a page as the site needs them
equations    equations as MathML
mkdocs_hooks what the site does beyond MkDocs
"""

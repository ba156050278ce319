"""A run's report: one self-contained HTML page (`from pipeline.report.page import render`).

- `page`: `render` writes a run's data as one file.
- `blocks`: the parts of a section: figures, tables, details.
- `svg`: `Panel`, one pair of axes as SVG that follows the page's colors.
- `formats`: numbers as text; a dash where there is none.
- `headline`: the tiles on the first screen.

`sections` has one module per section, each with `section(data)`, in the order of the page:
`data_section`, `check_section`, `time_section`, `file_section`, `column_section`,
`embedding_section`, `similarity_section`, `training_section`, `comparison_section`,
`ablation_section`, `slice_section`, `calibration_section`, `latency_section`, `attention_section`,
`request_section`, `facts_section`.
"""

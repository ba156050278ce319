"""Evaluation of a trained model.

- `scoring`: scores of a split, its metrics overall and by slice.
- `metrics`: AUC, GAUC, log loss, normalized entropy, calibration.
- `ablation`: scores without one path; `contributions`: what that loses; `bootstrap`: intervals.
- `content_relation`: whether content has to do with what users do.
- `attention_mass`: attention by bucket of similarity.
- `diagnostics`: what must never end a training.
"""

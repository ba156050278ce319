"""Evaluation of a trained model.

- `scoring`: scores of a split, its metrics overall and by slice.
- `metrics`: AUC, GAUC, log loss, normalized entropy, calibration.
- `attention_mass`: attention by bucket of similarity.
- `diagnostics`: what must never end a training.
"""

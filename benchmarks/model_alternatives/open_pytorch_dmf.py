r"""Training steps of the open PyTorch DMF, MMCTR-Bench at commit 00ce954, for `--external`.

It needs an environment of its own, with torch and scikit-learn, and the repository's `src`; nothing
else of this project needs them:

    python -m benchmarks.training --rounds 9 --external "pytorch=env PYTHONPATH=mmctr/src \
        other/bin/python benchmarks/model_alternatives/open_pytorch_dmf.py"

Sizes are those of `benchmarks.training`, settings those of the repository's
own configuration: Adam over the whole table, batch normalization, no dropout. Batches are in memory
with the vectors of items and behaviors looked up, which its loader does otherwise, so a step is
forward pass, backward pass and optimizer alone.
"""

import sys
import time

import torch
from mmctr.core import Batch
from mmctr.models.mm_models.dmf import DMF
from mmctr.training.optimizers import build_optimizer

_MODEL = {
    "latent_dim": 128,
    "projection_dim": 128,
    "attention_dim": 128,
    "mlp_dims": [1024, 512, 256],
    "dropout": 0.0,
    "batch_norm": True,
    "tier_num": 10,
    "num_buckets": 35,
}
_MODALITIES = {"text": 128, "image": 128}
_ITEMS, _BATCH, _LENGTH = 100_000, 512, 50
_IN_MEMORY, _STEPS, _THREADS = 8, 4, 2


def main() -> None:
    """Takes some steps for each line on standard input."""
    torch.set_num_threads(_THREADS)
    torch.manual_seed(1)
    data = {
        "id_feature_num": _ITEMS,
        "use_mm_features": ("id", *_MODALITIES),
        "mm_seq_dims": _MODALITIES,
    }
    model = DMF(_MODEL, data)
    optimizer = build_optimizer(model, "Adam", 1e-3, weight_decay=1e-7)
    loss_of = torch.nn.BCEWithLogitsLoss()
    batches = [_batch() for _ in range(_IN_MEMORY)]
    taken = 0
    for _ in sys.stdin:
        started = time.process_time()
        for _ in range(_STEPS):
            batch = batches[taken % _IN_MEMORY]
            optimizer.zero_grad()
            loss_of(model(batch).logits, batch.labels).backward()
            optimizer.step()
            taken += 1
        print(_STEPS * _BATCH, time.process_time() - started, flush=True)


def _batch() -> Batch:
    """Returns a batch of random candidates, each with a history of its own."""

    def items(count: int) -> dict[str, torch.Tensor]:
        vectors = {name: torch.randn(_BATCH, count, width) for name, width in _MODALITIES.items()}
        return {"id": torch.randint(1, _ITEMS, (_BATCH, count)), **vectors}

    shown = items(1)
    return Batch(
        user_features={"id": torch.randint(1, _ITEMS, (_BATCH, 1))},
        item_features={"id": shown["id"], **{name: shown[name][:, 0] for name in _MODALITIES}},
        history_features=items(_LENGTH),
        history_mask=torch.ones(_BATCH, _LENGTH, dtype=torch.bool),
        labels=torch.randint(0, 2, (_BATCH,)).float(),
    )


if __name__ == "__main__":
    main()

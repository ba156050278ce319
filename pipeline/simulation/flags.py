"""Flags of `pipeline.simulate` that say what kind of log it is."""

from absl import flags

from pipeline.runtime.help_text import flag_group
from pipeline.simulation.settings import MarketplaceSettings


def define_kind(default: MarketplaceSettings) -> None:
    """Defines what content, positions and labels are like."""
    with flag_group("Content and labels"):
        widths = [f"{name}:{width}" for name, width in default.modalities.items()]
        flags.DEFINE_list("modalities", widths, "`NAME:WIDTH,...` Embedding sets and their widths.")
        flags.DEFINE_float(
            "missing_embeddings",
            default.missing_embeddings,
            "`SHARE` Items without a vector, drawn per modality, from 0 to 0.9.",
        )
        flags.DEFINE_float(
            "cold_fraction",
            default.cold_fraction,
            "`SHARE` Items that appear during the simulated time, from 0 to 0.9.",
        )
        flags.DEFINE_enum(
            "content",
            default.content,
            ["interaction", "additive", "none"],
            "How similarity moves clicks: as the id says, for every item alike, not at all.",
        )
        flags.DEFINE_enum(
            "order",
            default.order,
            ["chance", "price"],
            "Candidates of a request by chance, or the dearest first: a position that misleads.",
        )
        flags.DEFINE_float(
            "position_effect",
            default.position_effect,
            "`NUMBER` What a click's logit loses per doubling of the position, from 0 to 10.",
        )
        flags.DEFINE_float(
            "quality_turn",
            default.quality_turn,
            "`DEGREES` By which items' qualities turn per day; at 90 a day later all are others.",
        )
        flags.DEFINE_enum(
            "label_events",
            default.label_events,
            ["inline", "separate"],
            "Labels as columns of the impressions, or as logs of their own that arrive later.",
        )
        flags.DEFINE_integer("seed", default.seed, "`NUMBER` Another seed is another world.")

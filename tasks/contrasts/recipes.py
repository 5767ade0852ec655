"""The recipe of contrasts."""

from omnibench.tasks.segmentation.recipes import SegmentationRecipe

# Minutes on two cores with a tiny ViT; the rates are ours.
SMALL = SegmentationRecipe(
    input_size=160, epochs=10, batch=8, lr=3e-4, weight_decay=1e-4, warmup_epochs=1
)

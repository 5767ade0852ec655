"""Checkpoint layouts: the names that original authors and libraries give to timm's tensors.

Sources: facebookresearch/dino, dinov2 and mae, openai/CLIP and mlfoundations/open_clip, and the
vision transformers of huggingface/transformers (names of its versions 4 and 5).
"""

import fnmatch
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

SPLIT_NAMES = (("q", "k", "v"), ("q_proj", "k_proj", "v_proj"), ("query", "key", "value"))


@dataclass(frozen=True)
class Layout:
    """How one family of checkpoints names its tensors.

    Attributes:
        name: for people.
        marker: a key that every checkpoint of this layout has, behind its prefix.
        rules: regular expressions and replacements, applied in order to a key without its prefix.
        drops: globs of renamed keys that no feature needs.
    """

    name: str
    marker: str
    rules: tuple[tuple[str, str], ...] = ()
    drops: tuple[str, ...] = ()

    def rename(self, key: str) -> str:
        """Return timm's name of a key."""
        for pattern, replacement in self.rules:
            key = re.sub(pattern, replacement, key)
        return key


TRANSFORMERS_RULES = (
    (r"^embeddings\.(cls_token|class_embedding)$", "cls_token"),
    (r"^embeddings\.position_embeddings?(\.weight)?$", "pos_embed"),
    (r"^embeddings\.(register_tokens|mask_token|position_ids)$", r"\1"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
    (r"^pre_layrnorm\.", "norm_pre."),
    (r"^(post_)?layernorm\.", "norm."),
    (r"^(encoder\.)?layers?\.(\d+)\.", r"blocks.\2."),
    (r"\.(layernorm_before|layer_norm1)\.", ".norm1."),
    (r"\.(layernorm_after|layer_norm2)\.", ".norm2."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
    (r"\.(attention|self_attn)\.([qkv]_proj)\.", r".attn.\2."),
    (r"\.(attention\.output\.dense|attention\.o_proj|self_attn\.out_proj)\.", ".attn.proj."),
    (r"\.(intermediate\.dense|mlp\.weights_in)\.", ".mlp.fc1."),
    (r"\.(output\.dense|mlp\.weights_out)\.", ".mlp.fc2."),
)
TRANSFORMERS_DROPS = ("mask_token", "position_ids", "pooler.*")

# A layout named earlier is preferred where two read the same tensors.
LAYOUTS = (
    Layout(
        "transformers",
        "embeddings.patch_embeddings.projection.weight",
        TRANSFORMERS_RULES,
        TRANSFORMERS_DROPS,
    ),
    Layout(
        "transformers CLIP",
        "embeddings.patch_embedding.weight",
        TRANSFORMERS_RULES,
        TRANSFORMERS_DROPS,
    ),
    Layout(
        "CLIP",
        "class_embedding",
        (
            (r"^class_embedding$", "cls_token"),
            (r"^positional_embedding$", "pos_embed"),
            (r"^conv1\.", "patch_embed.proj."),
            (r"^ln_pre\.", "norm_pre."),
            (r"^ln_post\.", "norm."),
            (r"^transformer\.resblocks\.", "blocks."),
            (r"\.ln_([12])\.", r".norm\1."),
            (r"\.attn\.in_proj_", ".attn.qkv."),
            (r"\.attn\.out_proj\.", ".attn.proj."),
            (r"\.mlp\.c_fc\.", ".mlp.fc1."),
            (r"\.mlp\.c_proj\.", ".mlp.fc2."),
        ),
        ("proj",),
    ),
    Layout("MAE", "decoder_embed.weight", (), ("mask_token", "decoder_*")),
    Layout(
        "iBOT, DINOv2 or BEiT",
        "mask_token",
        (
            (r"^blocks\.\d+\.(\d+)\.", r"blocks.\1."),  # training keeps its blocks in chunks
            (r"\.mlp\.w12\.", ".mlp.fc1."),
            (r"\.mlp\.w3\.", ".mlp.fc2."),
        ),
        ("mask_token", "dino_head.*", "ibot_head.*"),
    ),
)
TIMM = Layout("timm", "")


@dataclass
class Translation:
    """A state dict in timm's names, and what was done to get it.

    Attributes:
        fits: number of the model's tensors whose name and shape the state has.
        renamed, dropped, joined: what was done, a number between two dots written as `*`.
    """

    layout: str
    state: dict[str, Tensor]
    fits: int = 0
    renamed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)


def prefixes(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> Iterator[tuple[Layout, str]]:
    """Yield every layout and prefix under which `state` may hold the tensors of the model `own`."""
    for layout in LAYOUTS:
        for key in state:
            if f".{key}".endswith(f".{layout.marker}"):
                yield layout, key.removesuffix(layout.marker)
    counts: Counter[str] = Counter()
    for key in state:
        starts = [0, *(match.end() for match in re.finditer(r"\.", key))]
        counts.update(key[:start] for start in starts if key[start:] in own)
    most = max(counts.values(), default=0)
    yield from ((TIMM, prefix) for prefix, count in counts.items() if count == most)


def translate(
    state: Mapping[str, Tensor], layout: Layout, prefix: str, own: Mapping[str, Tensor]
) -> Translation:
    """Translate the tensors of `state` under `prefix` from a layout into the names of `own`."""
    translation = Translation(layout.name, {})
    for key, value in state.items():
        if not key.startswith(prefix):
            continue
        old = key.removeprefix(prefix)
        new = layout.rename(old)
        if new not in own and any(fnmatch.fnmatchcase(new, glob) for glob in layout.drops):
            translation.dropped.append(starred(old))
            continue
        if new != old:
            translation.renamed.append(f"{starred(old)} -> {starred(new)}")
        if new in ("cls_token", "pos_embed") and new in own and value.ndim > 0:
            value = value.reshape(*(1,) * (own[new].ndim - value.ndim), *value.shape)
        translation.state[new] = value
    _fold_class_position(translation, own)
    _fit_attention(translation, own)
    translation.fits = fitting(translation.state, own)
    return translation


def fitting(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> int:
    """Count the tensors of a model that a state has by name and shape."""
    return sum(key in state and state[key].shape == value.shape for key, value in own.items())


def starred(key: str) -> str:
    """Write the numbers of a key as `*`, so that one line stands for all blocks."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", key)


def _fold_class_position(translation: Translation, own: Mapping[str, Tensor]) -> None:
    """Read DINOv2's registers: timm adds the class token's position to the token itself."""
    state = translation.state
    if "reg_token" not in own or not state.keys() >= {"register_tokens", "cls_token", "pos_embed"}:
        return
    position = state["pos_embed"]
    token = state["cls_token"]
    if position.ndim != 3 or token.shape != position[:, :1].shape or token.dtype != position.dtype:
        return
    state["reg_token"] = state.pop("register_tokens")
    state["cls_token"] = token + position[:, :1]
    state["pos_embed"] = position[:, 1:]
    translation.renamed.append("register_tokens -> reg_token")
    translation.joined.append("cls_token + pos_embed of the class token -> cls_token")


def _fit_attention(translation: Translation, own: Mapping[str, Tensor]) -> None:
    """Join split queries, keys and values, or split fused ones, as the model has them."""
    state = translation.state
    for key, names in itertools.product(own, SPLIT_NAMES):
        if key in state:
            continue
        fused = re.sub(rf"\.({'|'.join(names)})\.", ".qkv.", key)
        if ".qkv." not in fused:
            continue
        parts = [fused.replace(".qkv.", f".{name}.") for name in names]
        kinds = [(state[part].shape, state[part].dtype) for part in parts if part in state]
        if fused == key and kinds and kinds == kinds[:1] * 3 and kinds[0][0]:
            state[key] = torch.cat([state.pop(part) for part in parts])
            translation.joined.append(f"{starred(parts[0])} with {names[1]}, {names[2]} -> qkv")
        elif key in parts and fused in state and state[fused].shape[:1].numel() % 3 == 0:
            state.update(zip(parts, state.pop(fused).tensor_split(3), strict=True))
            translation.joined.append(f"{starred(fused)} -> {', '.join(names)}")

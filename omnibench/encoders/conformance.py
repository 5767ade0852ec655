"""The conformance kit: what an encoder must do for its numbers to mean what its card says."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from omnibench.cards import BackboneCard
from omnibench.context import Context
from omnibench.encoders import Encoder
from omnibench.encoders.build import Loaded, load_encoder
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.encoders.transformers_encoder import TransformersEncoder
from omnibench.errors import OmnibenchError, RequestError
from omnibench.findings import Finding, Verdict, passed

SIZE = 224
BATCH = 4
COSINE_PASS, COSINE_WARN = 0.999, 0.99


def conformance(card: BackboneCard, context: Context) -> Iterator[Finding]:
    """Yield one finding after another; the first that fails to load ends them."""
    recipe = {"input_size": SIZE, "normalization": "backbone", "precision": "fp32"}
    try:
        loaded = load_encoder(card, recipe, context.device, context.data, context.results)
    except OmnibenchError as error:
        yield Finding("load", "FAIL", str(error), "see the message")
        return
    except Exception as error:  # whatever a builder or a configuration raises
        yield Finding("load", "FAIL", f"{type(error).__name__}: {_line(error)}", "mend the builder")
        return
    yield Finding("load", "PASS", f"{card.source}, {loaded.parameters:,} parameters")
    yield _coverage(loaded)
    yield _normalisation(loaded, card)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    images = functional.avg_pool2d(images[:, None].float(), 7, 1, 3)[:, 0].to(torch.uint8)
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _embed(loaded.encoder, card, images),
        lambda: _tokens(loaded.encoder, card, images),
        lambda: _maps(loaded.encoder, card, images),
        lambda: _bf16(loaded.encoder, card, images, recipe, context),
    )
    for check in checks:
        with torch.inference_mode():
            try:
                yield from check()
            except OmnibenchError as error:
                yield Finding("forward", "FAIL", str(error), "correct the module or its card")
            except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
                yield Finding(
                    "forward",
                    "FAIL",
                    f"{type(error).__name__}: {_line(error)}",
                    "correct the module",
                )


def _normalisation(loaded: Loaded, card: BackboneCard) -> Finding:
    told = card.mean is not None or loaded.coverage is not None
    return Finding(
        "normalisation",
        "PASS" if told else "WARN",
        f"mean {_short(loaded.mean)}, std {_short(loaded.std)} on images scaled to 0..1",
        "" if told else "ImageNet's are assumed: set mean and std on the card",
    )


def _coverage(loaded: Loaded) -> Finding:
    if loaded.coverage is None:
        return Finding("weights", "WARN", "no weights file: the builder's or a random draw")
    gaps = loaded.coverage.missing + loaded.coverage.unexpected
    return Finding(
        "weights",
        "WARN" if gaps else "PASS",
        f"{loaded.coverage}; {loaded.digest[:15]}",
        f"allowed by the card: {', '.join(gaps[:3])}" if gaps else "",
    )


def _embed(encoder: Encoder, card: BackboneCard, images: Tensor) -> Iterator[Finding]:
    output = encoder.embed(images)
    width = card.width or int(output.shape[-1])
    yield passed(
        "embed shape",
        tuple(output.shape) == (BATCH, width),
        f"{tuple(output.shape)} for {BATCH} images, width {width} on the card",
        f"return [B, {width}], or set width={output.shape[-1]} on the card",
    )
    yield passed(
        "finite", bool(output.isfinite().all()), "every value is finite", "the forward gives NaN"
    )
    yield passed(
        "deterministic",
        torch.equal(output, encoder.embed(images)),
        "the same images give the same bits",
        "put the module in eval mode inside and draw nothing at random",
    )
    flipped = encoder.embed(images.flip(0)).flip(0)
    yield passed(
        "per image",
        _cosine(output, flipped) > 1 - 1e-4,
        "an image's embedding does not depend on the others in its batch",
        "batch statistics leak: use evaluation statistics",
    )
    yield passed(
        "sees the image",
        bool((output - output[:1]).abs()[1:].max() > 1e-6 * output.abs().max()),
        "different images give different embeddings",
        "the output is constant: does the forward use its input?",
    )
    colour = encoder.embed(images[..., None].expand(-1, -1, -1, 3).contiguous())
    yield passed(
        "grey and RGB",
        _cosine(output, colour) > 1 - 1e-4,
        "a grey image and its RGB copy agree",
        "take [B, H, W] and [B, H, W, 3] alike",
    )


def _tokens(encoder: Encoder, card: BackboneCard, images: Tensor) -> Iterator[Finding]:
    try:
        prefix, patches = encoder.tokens(images)
    except RequestError as error:
        yield Finding("tokens", "WARN", str(error), "classification alone is possible")
        return
    if card.prefix_tokens is not None:
        yield passed(
            "prefix tokens",
            prefix.shape[1] == card.prefix_tokens,
            f"{prefix.shape[1]}, {card.prefix_tokens} on the card",
            f"set prefix_tokens={prefix.shape[1]} on the card, or split them off in the forward",
        )
    side = SIZE // card.patch if card.patch else int(patches.shape[1])
    width = card.width or int(patches.shape[-1])
    yield passed(
        "patch tokens",
        tuple(patches.shape) == (BATCH, side, side, width),
        f"{tuple(patches.shape)}, ({BATCH}, {side}, {side}, {width}) is due",
        "return the patches alone, row by row, or correct patch and width on the card",
    )
    pooled = prefix[:, 0] if card.pool == "cls" and prefix.shape[1] else patches.mean(dim=(1, 2))
    yield passed(
        "pooling",
        _cosine(pooled, encoder.embed(images)) > 1 - 1e-4,
        f"embed is the {'class token' if card.pool == 'cls' else 'mean of the patch tokens'}",
        "embed and tokens disagree: correct pool on the card",
    )


def _maps(encoder: Encoder, card: BackboneCard, images: Tensor) -> Iterator[Finding]:
    vit = card.patch is not None
    layers = [(card.depth or 12) - 1] if vit else [8, 16, 32]
    try:
        maps = encoder.maps(images, layers)
    except RequestError as error:
        yield Finding("maps", "WARN", str(error), "segmentation is not possible with it")
        return
    sides = [SIZE // card.patch] if card.patch else [SIZE // stride for stride in layers]
    found = [(m.shape[2], m.shape[3]) for m in maps]
    yield passed(
        "maps shape",
        found == [(side, side) for side in sides],
        f"{found} for {'blocks' if vit else 'strides'} {layers}",
        "return [B, D, h, w] for each layer asked for",
    )
    full = _normed(encoder, maps[-1])
    if full is not None:
        difference = float((full - encoder.tokens(images)[1]).abs().max() / full.abs().max())
        yield passed(
            "maps equal the full forward",
            difference < 1e-4,
            f"the last map, normed, against the patch tokens: largest difference {difference:.1e}",
            "maps must be the blocks' outputs inside the full forward",
        )


def _bf16(
    encoder: Encoder, card: BackboneCard, images: Tensor, recipe: dict[str, Any], context: Context
) -> Iterator[Finding]:
    half = load_encoder(
        card, {**recipe, "precision": "bf16"}, context.device, context.data, context.results
    )
    cosine = _cosine(encoder.embed(images), half.encoder.embed(images))
    verdict: Verdict = (
        "PASS" if cosine > COSINE_PASS else "WARN" if cosine > COSINE_WARN else "FAIL"
    )
    fix = "" if verdict == "PASS" else "give its recipe precision: fp32"
    yield Finding("bf16", verdict, f"cosine {cosine:.5f} to fp32", fix)


def _normed(encoder: Encoder, last: Tensor) -> Tensor | None:
    """The last block's map [B, D, h, w] through the final norm, as tokens [B, h, w, D]."""
    tokens = last.permute(0, 2, 3, 1)
    if isinstance(encoder, TimmEncoder) and encoder.is_vit:
        return encoder.module.norm(tokens)  # type: ignore[no-any-return]
    if isinstance(encoder, TransformersEncoder) and hasattr(encoder.module, "layernorm"):
        return encoder.module.layernorm(tokens)  # type: ignore[no-any-return]
    return None


def _cosine(a: Tensor, b: Tensor) -> float:
    """The smallest cosine between rows; 0 where the shapes differ."""
    if a.shape != b.shape:
        return 0.0
    return float(functional.cosine_similarity(a.float(), b.float(), dim=-1).min())


def _short(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:.3f}" for value in values)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""The conformance kit: what an encoder must do for its numbers to mean what its card says."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from omnibench.architecture.facts import COMPLETED
from omnibench.cards import BackboneCard
from omnibench.context import Context
from omnibench.encoders import Encoder, VolumeEncoder
from omnibench.encoders.build import Loaded, load_encoder
from omnibench.encoders.conformance_maps import check_maps
from omnibench.encoders.module_encoder import ModuleEncoder
from omnibench.encoders.pooling import POOLS, pooled
from omnibench.encoders.subject import Subject, load_subject
from omnibench.errors import OmnibenchError, RequestError, one_line
from omnibench.findings import Finding, Verdict, passed

BATCH = 4
COSINE_PASS, COSINE_WARN = 0.999, 0.99


def conformance(own: BackboneCard, context: Context) -> Iterator[Finding]:
    """Yield one finding after another; the first that fails to load ends them.

    Of a fused backbone, which has no module of its own, they are those of each member.
    """
    for member in own.members:
        for finding in conformance(member, context):
            yield replace(finding, name=f"{member.id}: {finding.name}")
    if own.members:
        return
    try:
        subject = load_subject(own, context)
    except OmnibenchError as error:
        yield Finding("load", "FAIL", str(error), "see the message")
        return
    card, loaded = subject.card, subject.loaded
    yield Finding("load", "PASS", f"{card.source}, {loaded.parameters:,} parameters")
    yield _card(own, card)
    yield _coverage(loaded)
    yield _normalisation(loaded, card)
    size = subject.recipe["input_size"]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, size, size), generator=generator, dtype=torch.uint8)
    images = functional.avg_pool2d(images[:, None].float(), 7, 1, 3)[:, 0].to(torch.uint8)
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _embed(loaded.encoder, card, images),
        lambda: _tokens(loaded.encoder, card, images),
        lambda: check_maps(loaded.encoder, card, images),
        lambda: _volumes(loaded.encoder, card, images),
        lambda: _again(subject, images, context),
    )
    for check in checks:
        with torch.inference_mode():
            try:
                yield from check()
            except OmnibenchError as error:
                yield Finding("forward", "FAIL", str(error), "correct the module or its card")
            except Exception as error:  # whatever a module raises
                yield Finding(
                    "forward",
                    "FAIL",
                    f"{type(error).__name__}: {one_line(error)}",
                    "correct the module",
                )


def _card(own: BackboneCard, card: BackboneCard) -> Finding:
    """What the card leaves out and its architecture tells, and who confirmed the rest."""
    facts = {name: getattr(card, name) for name in COMPLETED if getattr(own, name) is None}
    gaps = [f"{name.replace('_', ' ')} {fact}" for name, fact in facts.items() if fact is not None]
    message = "it leaves out nothing that the architecture tells"
    if gaps:
        message = f"{', '.join(gaps)}: told by the architecture"
    verified = f"verified by {own.verified_by}" if own.verified_by else "verified by nobody"
    return Finding("card", "PASS", f"{message}; {verified}")


def _normalisation(loaded: Loaded, card: BackboneCard) -> Finding:
    known = card.mean is not None or loaded.coverage is not None
    return Finding(
        "normalisation",
        "PASS" if known else "WARN",
        f"mean {_short(loaded.mean)}, std {_short(loaded.std)} on images scaled to 0..1",
        "" if known else "ImageNet's are assumed: set mean and std on the card",
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
    width = _width(card) or int(output.shape[-1])
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
        yield Finding("tokens", "WARN", str(error), "tasks on tokens are not possible with it")
        return
    if card.prefix_tokens is not None:
        yield passed(
            "prefix tokens",
            prefix.shape[1] == card.prefix_tokens,
            f"{prefix.shape[1]}, {card.prefix_tokens} on the card",
            f"set prefix_tokens={prefix.shape[1]} on the card, or split them off in the forward",
        )
    embedding = encoder.embed(images)
    if card.patch is None and patches.shape[-1] != embedding.shape[-1]:
        yield Finding(
            "pooling",
            "WARN",
            f"tokens are {patches.shape[-1]} wide and embeddings {embedding.shape[-1]}: the "
            "encoder pools in a way of its own",
        )
        return
    side = images.shape[1] // card.patch if card.patch else int(patches.shape[1])
    width = card.width or int(patches.shape[-1])
    yield passed(
        "patch tokens",
        tuple(patches.shape) == (BATCH, side, side, width),
        f"{tuple(patches.shape)}, ({BATCH}, {side}, {side}, {width}) is due",
        "return the patches alone, row by row, or correct patch and width on the card",
    )
    if card.norm_after_pool:
        return  # tokens are those after the final norm, embeddings are not
    pool = card.pool if card.pool and prefix.shape[1] else "mean"
    yield passed(
        "pooling",
        _cosine(pooled(prefix, patches, pool), embedding) > 1 - 1e-4,
        f"embed is the {POOLS[pool]}",
        "embed and tokens disagree: correct pool on the card",
    )


def _width(card: BackboneCard) -> int | None:
    """Return how wide a card's embeddings are; of two parts twice as wide as its tokens."""
    return card.width and card.width * (2 if card.pool == "cls+mean" else 1)


def _volumes(encoder: Encoder, card: BackboneCard, slices: Tensor) -> Iterator[Finding]:
    """Embed two volumes of the same slices, the second in reversed order; most see none."""
    if not isinstance(encoder, VolumeEncoder):
        return
    if isinstance(encoder, ModuleEncoder) and not hasattr(encoder.module, "forward_volumes"):
        return
    output = encoder.embed_volumes(torch.stack([slices, slices.flip(0)]))
    width = _width(card) or int(output.shape[-1])
    yield passed(
        "volume shape",
        tuple(output.shape) == (2, width) and bool(output.isfinite().all()),
        f"{tuple(output.shape)} for 2 volumes, width {width} on the card, every value is finite",
        f"return finite [B, {width}] of [B, 3, Z, S, S]",
    )
    yield passed(
        "per volume",
        _cosine(output[:1], encoder.embed_volumes(slices[None])) > 1 - 1e-4,
        "a volume's embedding does not depend on the others in its batch",
        "batch statistics leak: use evaluation statistics",
    )


def _again(subject: Subject, images: Tensor, context: Context) -> Iterator[Finding]:
    """Build the backbone a second time, in bf16."""
    loaded, recipe = subject.loaded, {**subject.recipe, "precision": "bf16"}
    half = load_encoder(subject.card, recipe, context.device, context.data, context.results)
    yield passed(
        "same at each build",
        half.digest == loaded.digest,
        f"tensors {loaded.digest[:15] or 'not told'}, then {half.digest[:15] or 'not told'}",
        "build the same network every time: fixed sizes, and weights that are loaded, not drawn",
    )
    full = loaded.encoder.embed(images)
    try:
        output = half.encoder.embed(images)
    except (RuntimeError, TypeError) as error:  # an operation that has no bf16 kernel
        fix = "give its recipe precision: fp32"
        yield Finding("bf16", "WARN", f"it does not run in bf16 ({one_line(error)})", fix)
        return
    if output.shape != full.shape:
        raise RequestError(
            f"its width is {full.shape[-1]} at the first build and {output.shape[-1]} at the second"
        )
    cosine = _cosine(full, output)
    verdict: Verdict = (
        "PASS" if cosine > COSINE_PASS else "WARN" if cosine > COSINE_WARN else "FAIL"
    )
    fix = "" if verdict == "PASS" else "give its recipe precision: fp32"
    yield Finding("bf16", verdict, f"cosine {cosine:.5f} to fp32", fix)


def _cosine(a: Tensor, b: Tensor) -> float:
    """The smallest cosine between rows; 0 where the shapes differ."""
    if a.shape != b.shape:
        return 0.0
    # Of their size, or what a random draw lets fade away would count as zero.
    a, b = (rows.double() / rows.double().abs().amax().clamp_min(1e-300) for rows in (a, b))
    return float(functional.cosine_similarity(a, b, dim=-1).min())


def _short(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:.3f}" for value in values)

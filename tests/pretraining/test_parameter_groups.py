"""Rates, decays and momenta, parameter by parameter and step by step, and the teacher's moves."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.tasks.pretraining.distillation import Distillation
from omnibench.tasks.pretraining.groups import Course, parameter_groups
from omnibench.tasks.pretraining.recipes import OMNIRAD
from tests.pretraining.tiny_networks import crops, model, network, recipe

EPOCH = 5
COURSE = {
    "epochs": 4,
    "batch": 256,
    "warmup_epochs": 1.0,
    "frozen_last_layer_epochs": 1.4,
    "teacher_warmup_epochs": 2.0,
}
# Layer, decays, on top of what: as DINOv2's get_params_groups_with_decay tells them apart.
BLOCK = {
    "norm1.weight": 0.0,
    "norm1.bias": 0.0,
    "attn.qkv.weight": 1.0,
    "attn.qkv.bias": 0.0,
    "attn.proj.weight": 1.0,
    "attn.proj.bias": 0.0,
    "ls1.gamma": 0.0,
    "norm2.weight": 0.0,
    "norm2.bias": 0.0,
    "mlp.fc1.weight": 1.0,
    "mlp.fc1.bias": 0.0,
    "mlp.fc2.weight": 1.0,
    "mlp.fc2.bias": 0.0,
    "ls2.gamma": 0.0,
}
HEAD = {
    "mlp.0.weight": (1.0, 1.0, False),
    "mlp.0.bias": (1.0, 0.0, False),
    "mlp.2.weight": (1.0, 1.0, False),
    "mlp.2.bias": (1.0, 0.0, False),
    "mlp.4.weight": (1.0, 1.0, False),
    "mlp.4.bias": (1.0, 0.0, False),
    "directions": (1.0, 1.0, True),
    "lengths": (1.0, 1.0, True),
}
# Of two blocks and a layer decay of .9: the last block's is .9, what stands before them .9 ** 3.
EXPECTED = {
    "backbone.mask_token": (0.729, 1.0, False),
    "backbone.vit.cls_token": (0.729, 1.0, False),
    "backbone.vit.pos_embed": (0.729, 1.0, False),
    "backbone.vit.patch_embed.proj.weight": (0.729 * 0.2, 1.0, False),
    "backbone.vit.patch_embed.proj.bias": (0.729 * 0.2, 0.0, False),
    "backbone.vit.norm.weight": (1.0, 0.0, False),
    "backbone.vit.norm.bias": (1.0, 0.0, False),
    **{f"backbone.vit.blocks.0.{name}": (0.81, decay, False) for name, decay in BLOCK.items()},
    **{f"backbone.vit.blocks.1.{name}": (0.9, decay, False) for name, decay in BLOCK.items()},
    **{f"{head}.{name}": row for head in ("dino", "ibot") for name, row in HEAD.items()},
}


def test_every_parameter_has_dinov2s_rate_and_decay() -> None:
    student = model(recipe(layer_scale=0.1)).student
    actual = {}
    for group in parameter_groups(student, recipe(layer_scale=0.1)):
        for parameter in group["params"]:
            assert parameter not in actual
            actual[parameter] = (group["rate"], group["decay"], group["last"])
    names = dict(student.named_parameters())
    assert names.keys() == EXPECTED.keys()
    for name, parameter in names.items():
        assert actual.pop(parameter) == pytest.approx(EXPECTED[name]), name
    assert not actual


def test_without_layer_decay_the_patch_embedding_alone_is_slower() -> None:
    student = model(recipe()).student
    rates = {group["rate"] for group in parameter_groups(student, recipe(layer_decay=1.0))}
    assert rates == {1.0, 0.2}


def falling(steps: Any, first: float, last: float, warmup: int = 0) -> NDArray[Any]:
    """DINOv2's schedule as one array: a line from 0, then half a cosine."""
    rest = np.arange(steps - warmup)
    cosine = last + 0.5 * (first - last) * (1 + np.cos(np.pi * rest / len(rest)))
    return np.concatenate([np.linspace(0, first, warmup), cosine])


@pytest.mark.parametrize("scaling", ["none", "sqrt-1024"])
def test_the_course_is_dinov2s_arrays(scaling: str) -> None:
    settings = recipe(**COURSE, lr=3e-3, min_lr=1e-5, lr_scaling=scaling)
    course, steps = Course(settings, EPOCH), 4 * EPOCH
    student = model(settings).student
    optimiser = torch.optim.AdamW(parameter_groups(student, settings))
    full = 3e-3 * (0.5 if scaling == "sqrt-1024" else 1.0)
    rates = falling(steps, full, 1e-5, EPOCH)
    decays, momenta = falling(steps, 0.04, 0.2), falling(steps, 0.994, 1.0)
    temperatures = np.concatenate([np.linspace(0.04, 0.07, 2 * EPOCH), np.full(2 * EPOCH, 0.07)])
    for step in range(steps):
        assert course.set_rates(optimiser, step) == pytest.approx(rates[step], rel=1e-12)
        assert course.rate(step) == pytest.approx(rates[step], rel=1e-12)
        assert course.momentum(step) == pytest.approx(momenta[step], rel=1e-12)
        assert course.temperature(step) == pytest.approx(temperatures[step], rel=1e-12)
        for group in optimiser.param_groups:
            rate = 0.0 if group["last"] and step < 7 else rates[step] * group["rate"]
            assert group["lr"] == pytest.approx(rate, rel=1e-12)
            assert group["weight_decay"] == pytest.approx(decays[step] * group["decay"], rel=1e-12)


@pytest.mark.parametrize(
    ("batch", "scaling", "factor"),
    [
        (1024, "sqrt-1024", 1.0),
        (256, "sqrt-1024", 0.5),
        (4096, "sqrt-1024", 2.0),
        (64, "none", 1.0),
    ],
)
def test_the_rate_follows_the_batch(batch: int, scaling: str, factor: float) -> None:
    assert recipe(batch=batch, lr=2e-4, lr_scaling=scaling).scaled_lr == pytest.approx(
        2e-4 * factor
    )


def test_prototypes_stay_while_they_are_frozen_and_move_after() -> None:
    settings = recipe(**{**COURSE, "batch": 6}, lr=1e-2, lr_scaling="none", warmup_start=0.5)
    made, course = model(settings), Course(settings, EPOCH)
    optimiser = torch.optim.AdamW(parameter_groups(made.student, settings), lr=settings.lr)
    first = {name: value.clone() for name, value in made.state_dict().items()}
    for step in range(8):
        shown = crops(settings, seed=step)
        answers = made.answers(shown, course.temperature(step), "cpu")
        course.set_rates(optimiser, step)
        optimiser.zero_grad()
        total = sum(made.losses(shown, answers, torch.arange(6), 6).values())
        assert isinstance(total, Tensor)
        total.backward()
        optimiser.step()
        made.follow(course.momentum(step))
        now = made.state_dict()
        for head in ("dino", "ibot"):
            assert not torch.equal(
                now[f"student.{head}.mlp.0.weight"], first[f"student.{head}.mlp.0.weight"]
            )
            for name in (f"student.{head}.directions", f"student.{head}.lengths"):
                assert torch.equal(now[name], first[name]) == (step < 7), (name, step)


def test_the_teacher_is_the_closed_form_of_its_students() -> None:
    made = model(recipe())
    start = {name: value.double() for name, value in made.teacher.state_dict().items()}
    momenta, students = (0.9, 0.994, 0.5, 1.0), []
    for step, momentum in enumerate(momenta):
        torch.manual_seed(step)
        with torch.no_grad():
            for parameter in made.student.parameters():
                parameter.copy_(torch.randn_like(parameter))
        students.append({n: value.double() for n, value in made.student.state_dict().items()})
        made.follow(momentum)
    shares = [(1 - m) * np.prod(momenta[k + 1 :]) for k, m in enumerate(momenta)]
    assert sum(shares) + np.prod(momenta) == pytest.approx(1)
    for name, value in made.teacher.state_dict().items():
        expected = np.prod(momenta) * start[name] + sum(
            share * student[name] for share, student in zip(shares, students, strict=True)
        )
        assert torch.allclose(value.double(), expected, atol=1e-6), name


def test_the_teacher_begins_as_the_student_and_has_no_gradients() -> None:
    torch.manual_seed(0)
    made = Distillation(network(), recipe())
    for name, value in made.student.state_dict().items():
        assert torch.equal(value, made.teacher.state_dict()[name])
    shown = crops(recipe())
    made.set_training()
    answers = made.answers(shown, 0.07, "cpu")
    total = sum(made.losses(shown, answers, torch.arange(6), 6).values())
    assert isinstance(total, Tensor)
    total.backward()
    assert all(parameter.grad is None for parameter in made.teacher.parameters())
    assert not any(parameter.requires_grad for parameter in made.teacher.parameters())
    missing = [name for name, p in made.student.named_parameters() if p.grad is None]
    assert not missing


def test_the_omnirad_recipe_is_the_studys() -> None:
    fields = OMNIRAD.model_dump()
    table = {
        "input_size": 224,
        "local_crops": 0,
        "batch": 256,
        "epochs": 10,
        "lr": 2e-4,
        "min_lr": 1e-6,
        "weight_decay": 0.04,
        "final_weight_decay": 0.2,
        "drop_path": 0.3,
        "layer_scale": 1e-5,
        "momentum": (0.994, 1.0),
        "teacher_temperature": (0.04, 0.07),
        "dino_weight": 1.0,
        "ibot_weight": 1.0,
        "prototypes": 131072,
        "head_layers": 3,
        "hidden": 2048,
        "bottleneck": 256,
        # Left open by the study; DINOv2's.
        "centring": "sinkhorn",
        "koleo_weight": 0.1,
        "mask_ratio": (0.1, 0.5),
        "mask_share": 0.5,
        "student_temperature": 0.1,
        "frozen_last_layer_epochs": 1.0,
        "patch_embed_rate": 0.2,
        "layer_decay": 0.9,
        "clip_norm": 3.0,
        "global_scale": (0.32, 1.0),
        "lr_scaling": "sqrt-1024",
        "dino_scale": "dinov2",
    }
    assert {name: fields[name] for name in table} == table

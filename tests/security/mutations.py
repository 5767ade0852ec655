"""Random changes to files: to their bytes, and to the values that JSON, YAML and arrays hold."""

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np

# What stands where a name, number, list or mapping is due.
HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, float("nan"), float("inf"), "", "x", "x" * 10_000, "../../x",
    "/etc/hostname", "\x1b[31m\x1b]0;x\x07", "\u202e", "\ud800", "a\nb", "os:getcwd", "module:",
    [], {}, [[]], {"a": {"a": {"a": 1}}}, [None], {"": ""}, {"id": []}, list(range(50)),
)  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Change some bytes of a file: flips, runs that are lost, doubled, zeroed or drawn anew."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not changed:
            break
        start = rng.randrange(len(changed))
        stop = min(len(changed), start + rng.choice((1, 1, 2, 8, 64, 512)))
        part = bytes(changed[start:stop])
        changed[start:stop] = rng.choice(
            (
                bytes([part[0] ^ 1 << rng.randrange(8)]) + part[1:],
                b"",
                part + part,
                bytes(len(part)),
                rng.randbytes(len(part)),
            )
        )
    return bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.1 else changed)


def changed_tree(tree: Any, rng: random.Random) -> Any:
    """Return a copy of nested lists and mappings with up to three places changed."""
    copy = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(copy))
        if not places:
            break
        holder, key = rng.choice(places)
        value = holder[key]
        action = rng.choice(("replace", "replace", "delete", "wrap", "rename", "text"))
        if action == "delete":
            del holder[key]
        elif action == "wrap":
            holder[key] = rng.choice(([value], {"a": value}, [value, value]))
        elif action == "rename" and isinstance(holder, dict):
            holder[rng.choice((f"{key}s", key.upper(), f"{key} ", "x"))] = holder.pop(key)
        elif action == "text":
            holder[key] = str(value)[: rng.randrange(20)]
        else:
            holder[key] = rng.choice(HOSTILE)
    return copy


def _places(tree: Any) -> Any:
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


ArrayChange = Callable[[np.ndarray, random.Random], Any]
ARRAYS: tuple[ArrayChange, ...] = (
    lambda array, rng: array[: rng.randrange(len(array) + 1)],
    lambda array, rng: array[..., None],
    lambda array, rng: array.reshape(-1),
    lambda array, rng: array.T,
    lambda array, rng: array[:0],
    lambda array, rng: np.array(rng.choice((0, -1, 2.5))),
    lambda array, rng: array.astype(np.float64) / 3,
    lambda array, rng: np.full(array.shape, rng.choice((np.nan, np.inf, -1.0))),
    lambda array, rng: array.astype(np.complex64),
    lambda array, rng: array.astype("U3"),
    lambda array, rng: array.astype(">i2"),
    lambda array, rng: array.astype(bool),
    lambda array, rng: array.astype(np.int64) - rng.choice((1, 2**40)),
    lambda array, rng: np.zeros(array.shape, [("a", "u1"), ("b", "f4")]),
    lambda array, rng: np.asfortranarray(array),
    lambda array, rng: array.astype("datetime64[s]"),
    lambda array, rng: np.random.default_rng(rng.randrange(99)).integers(0, 255, (2, 3, 5), "u1"),
)


def changed_arrays(arrays: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return arrays of which one or two are changed, renamed or left out."""
    changed = dict(arrays)
    for _ in range(rng.choice((1, 1, 2))):
        if not changed:
            break
        name = rng.choice(sorted(changed))
        action = rng.choice(("change", "change", "change", "delete", "rename", "other"))
        if action == "delete":
            del changed[name]
        elif action == "rename":
            changed[rng.choice((f"{name}s", "x", f"../{name}", "test_images"))] = changed.pop(name)
        elif action == "other":
            changed[rng.choice(("train_groups", "val_label", "x"))] = rng.choice(
                (np.arange(3), np.zeros((6, 8, 8), "u1"), np.array("x"))
            )
        else:
            changed[name] = rng.choice(ARRAYS)(changed[name], rng)
    return changed

"""Needs of a suite in few lines: what stands together, and what keeps a line of its own."""

from omnibench.commands.blocked import blocked_lines


def fetch(kind: str, name: str) -> str:
    return f"{kind} {name}: run `bench.py {kind} fetch {name}`, or put {name}.npz in /data/{name}"


def test_what_is_fetched_in_one_way_stands_together() -> None:
    needs = [
        fetch("data", "a"),
        *(fetch("weights", name) for name in ("dino-small", "dino-base", "a.b")),
        fetch("data", "b"),
    ]
    assert list(blocked_lines(needs, "s.yaml")) == [
        f"blocked: {needs[0]}",
        f"blocked: {needs[4]}",
        "blocked: weights dino-small, dino-base, a.b (3): run `bench.py weights fetch NAME`;\n"
        "  `bench.py doctor s.yaml` says which files go where",
    ]


def test_equal_reasons_are_one_and_others_stay_whole() -> None:
    patch = "input size 64 is not a multiple of its patch size 14; use 56 or 70"
    needs = [f"backbone {name}: {patch}" for name in ("v", "w", "x-14")]
    others = ["a record of a newer version", "set: recipe.batch 9 exceeds 4 images", "set: no"]
    assert list(blocked_lines([*needs, *others], "demo")) == [
        f"blocked: backbone v, w, x-14 (3): {patch}",
        *(f"blocked: {need}" for need in others),
    ]


def test_every_name_is_printed_and_no_line_is_longer_than_a_screen() -> None:
    names = [f"backbone-number-{k}" for k in range(40)]
    [text] = blocked_lines([fetch("weights", name) for name in names], "demo")
    assert all(f" {name}" in text.replace("\n", " ") for name in names)
    assert max(map(len, text.splitlines())) <= 100

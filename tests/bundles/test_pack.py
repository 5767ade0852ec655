"""The suite's file as it goes into a bundle."""

from pathlib import Path

import yaml

from omnibench.bundles.pack import _portable_suite

SUITE = """
# made by anna
name: x
plugins: [/home/anna/my_vit.py, here.py]
backbones:
  - vit-*
  - {id: v, source: 'file:/home/anna/weights/v.pth', citation: 'see /home/anna/notes, page 3'}
matrix:
  - {task: t, datasets: ['npz:/data/anna/two.npz', 'folder:~/scans', 'jsonl:sub/x.jsonl',
     'npz:../anna/y.npz', 'C:\\\\Users\\\\anna\\\\z.npz'], adaptations: [{lora: {r: 8}}]}
"""


def test_a_suite_keeps_its_meaning_and_loses_folders_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SUITE)
    content = _portable_suite(path)
    assert b"anna" not in content
    suite = yaml.safe_load(content)
    assert suite["plugins"] == ["my_vit.py", "here.py"]
    assert suite["backbones"][1]["source"] == "file:v.pth"
    assert suite["backbones"][1]["citation"] == "see (a path), page 3"
    assert suite["matrix"][0]["datasets"] == [
        *("npz:two.npz", "folder:scans", "jsonl:sub/x.jsonl", "npz:y.npz", "z.npz")
    ]
    assert suite["matrix"][0]["adaptations"] == [{"lora": {"r": 8}}]

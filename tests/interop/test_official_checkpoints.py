"""Official checkpoints give the recorded outputs of the original networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from yolor_gp.errors import UserError
from yolor_gp.interop.official_checkpoints import import_official
from yolor_gp.interop.pickle_values import Global, Instance
from yolor_gp.interop.torch_archive import TorchArchive, open_torch_archive
from yolor_gp.models.builder import build_network
from yolor_gp.models.fuse import fuse
from yolor_gp.models.network import DetectionNetwork
from yolor_gp.ops.anchor_decode import decode_level
from yolor_gp.ops.boxes import xyxy_to_cxcywh
from yolor_gp.structures.predictions import RawPredictions

pytestmark = pytest.mark.coco

GOLDENS = ["ckpt_yolov5seg_w0125_d033", "ckpt_yolov7seg_w0125", "ckpt_yolorcsp_w0125"]


def _network(path: Path) -> DetectionNetwork:
    spec, weights, names = import_official(path)
    network = build_network(spec, names=names)
    assert isinstance(network, DetectionNetwork)
    network.load_state_dict(weights)
    return network.eval()


def _relative(found: Tensor, expected: Tensor) -> float:
    """Largest difference in parts of the largest value."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def _differences(raw: RawPredictions, recorded: dict[str, Tensor]) -> dict[str, float]:
    by_rank = {5: [k for k in recorded if recorded[k].ndim == 5]}
    levels = zip(raw.levels, by_rank[5], strict=True)
    differences = {key: _relative(level.logits, recorded[key]) for level, key in levels}
    for key, value in recorded.items():
        if value.ndim == 4 and key != "x":
            assert raw.prototypes is not None
            differences[key] = _relative(raw.prototypes, value)
    return differences


@pytest.mark.parametrize("name", GOLDENS)
@pytest.mark.parametrize("prepare", [lambda network: network, fuse], ids=["as is", "folded"])
def test_outputs_equal_the_recorded_ones(
    shared: Path,
    name: str,
    prepare: Callable[[DetectionNetwork], DetectionNetwork],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with np.load(shared / "golden" / f"{name}.npz") as archive:
        recorded = {key: torch.from_numpy(archive[key]) for key in archive}
    network = prepare(_network(shared / "golden" / f"{name}.pt"))
    with torch.no_grad():
        raw = network(recorded["x"])
    differences = _differences(raw, recorded)
    decoded = torch.cat([_decoded(raw, index) for index in range(len(raw.levels))], dim=1)
    differences["out_0"] = _relative(decoded, recorded["out_0"])
    with capsys.disabled():
        print(f"\n{name}: largest relative difference {max(differences.values()):.1e}")
    assert max(differences.values()) < 1e-4


def _decoded(raw: RawPredictions, index: int) -> Tensor:
    """[B, A * h * w, 5 + C + K]: centre and size in pixels, scores, mask coefficients."""
    level, end = raw.levels[index], 5 + raw.num_classes
    boxes = xyxy_to_cxcywh(decode_level(level.logits, level.anchors, level.stride))
    scores, coefficients = level.logits[..., 4:end].sigmoid(), level.logits[..., end:]
    return torch.cat([boxes, scores, coefficients], dim=-1).flatten(1, 3)


Edit = Callable[[TorchArchive], None]


@pytest.fixture
def edited(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Edit], Path]:
    """A path from which a checkpoint is imported whose records were changed by hand."""

    def make(edit: Edit, name: str = GOLDENS[0]) -> Path:
        path = shared / "golden" / f"{name}.pt"
        archive = open_torch_archive(path)
        edit(archive)
        where = "yolor_gp.interop.official_checkpoints.open_torch_archive"
        monkeypatch.setattr(where, lambda _: archive)
        return path

    return make


def _yaml(archive: TorchArchive) -> Any:
    return archive.root["model"].state["yaml"]


def _module(archive: TorchArchive, name: str) -> Instance:
    module = archive.root["model"]
    for step in name.split("."):
        module = module.state["_modules"][step]
    assert isinstance(module, Instance)
    return module


def _drop_weight(archive: TorchArchive) -> None:
    del _module(archive, "model.0.conv").state["_parameters"]["weight"]


def _add_tensor(archive: TorchArchive) -> None:
    parameters = _module(archive, "model.0.conv").state["_parameters"]
    parameters["extra"] = parameters["weight"]


WRONG: dict[str, tuple[Edit, str]] = {
    "another width": (
        lambda a: _yaml(a)["backbone"][0][3].__setitem__(0, 128),
        "model.0.conv.weight has shape [8, 3, 6, 6], expected [16, 3, 6, 6]",
    ),
    "another stride": (
        lambda a: _module(a, "model.3.conv").state.update(stride=(1, 1)),
        "model.3.conv has stride",
    ),
    "another activation": (
        lambda a: setattr(
            _module(a, "model.1.act"), "kind", Global("torch.nn.modules.activation", "Hardswish")
        ),
        "model.1 has activation Hardswish, expected SiLU",
    ),
    "no shortcut": (
        lambda a: _module(a, "model.2.m.0").state.update(add=False),
        "model.2.m.0 has add False, expected True",
    ),
    "tensor missing": (_drop_weight, "model.0.conv.weight is missing, expected shape [8, 3, 6, 6]"),
    "tensor left over": (_add_tensor, "model.0.conv.extra is left over"),
    "no model file": (lambda a: a.root["model"].state.pop("yaml"), "no model file inside"),
    "foreign module": (
        lambda a: _yaml(a)["backbone"][0].__setitem__(2, "os.system"), "'os.system'"
    ),
    "own block": (
        lambda a: _yaml(a)["backbone"].__setitem__(0, {"block": "ELAN", "out_channels": 8}),
        "holds a dict",
    ),
    "extends": (lambda a: _yaml(a).update(backbone="x", extends="/etc/passwd"), "known module"),
    "endless model file": (lambda a: _yaml(a)["backbone"].append(_yaml(a)["backbone"]), "endless"),
    "more layers than modules": (
        lambda a: _yaml(a)["backbone"][2].__setitem__(1, 10**6), "describes"
    ),
    "layers in another order": (
        lambda a: _module(a, "model").state.update(_modules={"1": _module(a, "model.1")}),
        "numbered sequence",
    ),
    "no anchors": (
        lambda a: _module(a, "model.24").state["_buffers"].pop("anchors"), "no anchors"
    ),
    "module within itself": (
        lambda a: _module(a, "model.0").state["_modules"].update(conv=_module(a, "model.0")),
        "deep",
    ),
    "four channels": (lambda a: _yaml(a).update(ch=4), "'ch'"),
    "nothing inside": (lambda a: a.root.clear(), "no network inside"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_listed(edited: Callable[[Edit], Path], name: str) -> None:
    edit, expected = WRONG[name]
    path = edited(edit)
    with pytest.raises(UserError) as caught:
        import_official(path)
    assert expected in str(caught.value)
    assert all(problem.startswith(str(path)) for problem in caught.value.problems)


def test_averaged_weights_are_preferred(edited: Callable[[Edit], Path]) -> None:
    def edit(archive: TorchArchive) -> None:
        archive.root["ema"] = archive.root["model"]
        archive.root["model"] = Instance(Global("models.yolo", "Model"))

    assert import_official(edited(edit))[1]


def test_anchors_come_from_the_checkpoint(edited: Callable[[Edit], Path]) -> None:
    path = edited(lambda archive: _yaml(archive).update(anchors=3))
    assert import_official(path)[0].anchors[0] == ((10, 13), (16, 30), (33, 23))


def test_names_come_from_the_checkpoint(edited: Callable[[Edit], Path]) -> None:
    path = edited(lambda a: a.root["model"].state.update(names={i: f"n{i}" for i in range(80)}))
    assert import_official(path)[2][:2] == ("n0", "n1")
    path = edited(lambda a: a.root["model"].state.update(names=["too few"]))
    assert import_official(path)[2][79] == "class79"


def test_another_epsilon_keeps_the_outputs(edited: Callable[[Edit], Path]) -> None:
    path = edited(lambda a: _module(a, "model.0.bn").state.update(eps=0.5))
    changed, (_, weights, _) = _network(path), import_official(path)
    norm = changed.layers[0].get_submodule("norm")
    assert isinstance(norm, torch.nn.BatchNorm2d)
    variance = weights["layers.0.norm.running_var"] + norm.eps - 0.5
    x = torch.rand(1, 8, 4, 4)
    expected = torch.nn.functional.batch_norm(
        x, norm.running_mean, variance, norm.weight, norm.bias, eps=0.5
    )
    assert torch.allclose(norm(x), expected, atol=1e-5)


def test_real_weights_import_with_their_classes(shared: Path) -> None:
    spec, weights, names = import_official(shared / "weights" / "yolov5n-seg.pt")
    assert names[0] == "person" and len(names) == spec.num_classes == 80
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32, torch.int64}

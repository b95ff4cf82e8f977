"""What only a CUDA device can show; `make test-gpu` runs these where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engine.detection_steps import batch, network, stepper
from yolor_gp.commands.train import main as train
from yolor_gp.commands.val import main as val
from yolor_gp.config.train_config import ValidationConfig
from yolor_gp.detection.postprocess import postprocess
from yolor_gp.engine.precision import choose_precision
from yolor_gp.models.heads.anchor_head import anchor_candidates

pytestmark = pytest.mark.gpu

CPU = torch.device("cpu")
DATA = "path: datasets/shapes\nshapes: {train: 32, val: 8, size: 64}\n"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return torch.device("cuda", 0)


def losses_and_gradients(device: torch.device) -> tuple[dict[str, float], torch.Tensor]:
    built = network(device)
    step = stepper(built, device, choose_precision("float32", device))
    step.accumulate(batch(), last=True)
    # A copy: they are clipped in place before they are applied.
    gradients = torch.cat([parameter.grad.flatten() for parameter in built.parameters()])
    return step.apply(None, ()).parts, gradients.cpu()


def test_losses_and_gradients_are_those_of_the_cpu(gpu: torch.device) -> None:
    expected, expected_gradients = losses_and_gradients(CPU)
    parts, gradients = losses_and_gradients(gpu)
    assert parts == pytest.approx(expected, rel=1e-4)
    worst = (gradients - expected_gradients).abs().max() / expected_gradients.abs().max()
    assert worst < 1e-3


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_no_gradient_waits_for_the_device(gpu: torch.device, name: str) -> None:
    built = network(gpu)
    step = stepper(built, gpu, choose_precision(name, gpu))
    step.accumulate(batch().pin_memory(), last=False)  # libraries choose their kernels here
    pinned = batch().pin_memory()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step.accumulate(pinned, last=True)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_detections_are_those_of_the_cpu(gpu: torch.device) -> None:
    images = batch().images.float() / 255
    config = ValidationConfig(confidence=0.001)
    with torch.no_grad():
        here = postprocess(anchor_candidates(network(CPU).eval()(images), 0.001), config)
        there = postprocess(anchor_candidates(network(gpu).eval()(images.to(gpu)), 0.001), config)
    for expected, found in zip(here, there, strict=True):
        assert len(expected) > 20
        assert abs(len(found) - len(expected)) <= 0.02 * len(expected) + 1
        best = slice(20)
        torch.testing.assert_close(
            found.scores.cpu()[best], expected.scores[best], rtol=1e-3, atol=1e-5
        )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["auto", "float16"])
def test_training_resuming_and_evaluating(
    gpu: torch.device,
    precision: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole way with worker processes and page-locked batches, on a few tiny images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").write_text(DATA)
    run = tmp_path / "runs" / "a"
    words = ["--cfg", "yolor-elan-n", "--data", "shapes", "--hyp", "demo", "--img", "64"]
    words += ["--epochs", "2", "--batch-size", "auto", "--workers", "2", "--device", str(gpu)]
    words += ["--precision", precision, "--project", str(run.parent), "--name", run.name]
    assert train(words) == 0
    before_the_end = run / "weights" / "last.previous.pt"
    assert train(["--resume", str(before_the_end)]) == 0
    assert val(["--weights", str(run), "--data", "shapes", "--device", str(gpu)]) == 0
    assert "AP" in capsys.readouterr().out

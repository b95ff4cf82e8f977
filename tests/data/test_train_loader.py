"""The same batches whatever the number of workers and ranks, and from any step on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from tests.data.data_sets import Painted
from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.coco_dataset import open_coco
from yolor_gp.data.loading.batch_plan import BatchPlan
from yolor_gp.data.loading.collate import BatchMemory
from yolor_gp.data.loading.loader import TrainLoader, train_loader, val_loader
from yolor_gp.errors import UserError
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.structures.batch import Batch

EVERYTHING = AugmentConfig(mixup=0.3, copy_paste=0.3, multi_scale=0.3, flip_up_down=0.3)


def make(
    dataset: DetectionDataset,
    workers: int = 0,
    batch_size: int = 4,
    rank: int = 0,
    world: int = 1,
    mosaic_epochs: int | None = None,
) -> TrainLoader:
    return train_loader(
        dataset,
        batch_size=batch_size,
        augment=EVERYTHING,
        seed=7,
        workers=workers,
        rank=rank,
        world_size=world,
        mosaic_epochs=mosaic_epochs,
    )


def content(batch: Batch) -> list[torch.Tensor]:
    targets = batch.targets
    assert targets.index_map is not None
    return [batch.images, targets.image_index, targets.boxes, targets.labels, targets.index_map]


def same(first: Iterable[Batch], second: Iterable[Batch]) -> bool:
    pairs = list(zip(first, second, strict=True))
    assert pairs
    return all(
        a.metas == b.metas and all(map(torch.equal, content(a), content(b))) for a, b in pairs
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_nothing(painted: Painted, workers: int) -> None:
    alone = list(make(painted.open(64)).epoch(2))
    loader = make(painted.open(64), workers)
    assert same(alone, loader.epoch(2))
    assert same(alone, loader.epoch(2))  # nor does what was read before


def test_inputs_that_are_not_square(painted: Painted) -> None:
    """Width and height as said, or near them in multiples of the stride; workers change nothing."""
    size = ImageSize.of("96x64")
    alone = list(make(painted.open(size)).epoch(1))
    assert same(alone, make(painted.open(size, "ram"), workers=2).epoch(1))
    for batch in alone:
        height, width = batch.images.shape[2:]
        assert height % 32 == width % 32 == 0 and 32 <= height <= 96 and 64 <= width <= 128
        right, bottom = batch.targets.boxes[:, 2].max(), batch.targets.boxes[:, 3].max()
        assert right <= width and bottom <= height
    assert len({batch.images.shape for batch in alone}) > 1
    (whole,) = val_loader(painted.open(size), batch_size=100, workers=0)
    assert whole.images.shape[2:] == (64, 96)


def test_a_ram_cache_changes_nothing(painted: Painted) -> None:
    assert same(make(painted.open(64)).epoch(1), make(painted.open(64, "ram")).epoch(1))


def test_epochs_and_seeds_differ(painted: Painted) -> None:
    loader = make(painted.open(64))
    assert not same(loader.epoch(0), loader.epoch(1))
    other = train_loader(painted.open(64), batch_size=4, augment=EVERYTHING, seed=8, workers=0)
    assert not same(loader.epoch(0), other.epoch(0))


@pytest.mark.parametrize("workers", [0, 2])
def test_mosaic_ends_with_its_last_epoch(painted: Painted, workers: int) -> None:
    always = make(painted.open(64), workers)
    closing = make(painted.open(64), workers, mosaic_epochs=1)
    assert same(always.epoch(0), closing.epoch(0))
    assert not same(always.epoch(1), closing.epoch(1))
    never = make(painted.open(64), mosaic_epochs=0)
    assert same(never.epoch(1), closing.epoch(1))


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_the_same_global_batches(painted: Painted, world: int) -> None:
    whole = list(make(painted.open(64)).epoch(3))
    parts = [
        make(painted.open(64), batch_size=4 // world, rank=rank, world=world)
        for rank in range(world)
    ]
    assert {len(part) for part in parts} == {len(whole)}
    for step, shares in enumerate(zip(*(part.epoch(3) for part in parts), strict=True)):
        images = torch.cat([share.images for share in shares])
        boxes = torch.cat([share.targets.boxes for share in shares])
        assert torch.equal(images, whole[step].images)
        assert torch.equal(boxes, whole[step].targets.boxes)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_from_any_step(painted: Painted, workers: int) -> None:
    loader = make(painted.open(64), workers)
    whole = list(loader.epoch(1))
    assert same(whole[2:], loader.epoch(1, start_step=2))
    assert list(loader.epoch(1, start_step=len(loader))) == []


def test_every_image_once_and_the_tail_filled(painted: Painted) -> None:
    loader = make(painted.open(64), batch_size=5)
    ids = [meta.image_id for batch in loader.epoch(0) for meta in batch.metas]
    assert len(loader) == 3 and len(ids) == 15
    assert sorted(ids[:12]) == list(range(100, 112))
    assert ids[12:] == ids[:3]


def test_abandoned_epochs_leave_no_work_behind(painted: Painted) -> None:
    loader = make(painted.open(64), workers=2, batch_size=2)
    for _ in range(3):
        batches = loader.epoch(0)
        next(batches)
    assert same(loader.epoch(0), make(painted.open(64), batch_size=2).epoch(0))
    with pytest.raises(RuntimeError, match="another epoch"):
        list(batches)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_picture_is_named(painted: Painted, workers: int) -> None:
    dataset = painted.open(64)
    (painted.images / "03.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"03\.png: not an image"):
        list(make(dataset, workers).epoch(0))


def test_a_picture_of_another_size_is_named(painted: Painted) -> None:
    dataset = painted.open(64)
    (painted.images / "03.png").write_bytes((painted.images / "04.png").read_bytes())
    with pytest.raises(UserError, match=r"03\.png: the picture is \d+ x \d+ pixels, but its"):
        dataset.load(3)
    (painted.images / "03.png").unlink()
    with pytest.raises(UserError, match=r"03\.png: cannot be read"):
        dataset.load(3)


def test_masks_need_outlines(painted: Painted) -> None:
    for annotation in painted.content["annotations"]:
        del annotation["segmentation"]
    painted.write()
    dataset = painted.open(64)
    with pytest.raises(UserError, match="has boxes only"):
        make(dataset)
    loader = train_loader(
        dataset,
        batch_size=4,
        augment=EVERYTHING,
        seed=7,
        workers=0,
        mask_stride=None,
    )
    batch = next(iter(loader.epoch(0)))
    assert batch.targets.index_map is None and len(batch.targets) > 0


@pytest.mark.parametrize("world", [1, 2, 5, 13])
def test_validation_shows_every_image_once(painted: Painted, world: int) -> None:
    dataset = painted.open(64)
    seen: list[int] = []
    for rank in range(world):
        loader = val_loader(dataset, batch_size=4, workers=rank % 2, rank=rank, world_size=world)
        for _ in range(2):  # it can be read again
            batches = list(loader)
            assert len(batches) == len(loader)
        seen += [meta.image_id for batch in batches for meta in batch.metas]
    assert sorted(seen) == list(range(100, 112))


@pytest.mark.coco
def test_memory_does_not_grow_over_epochs(shared: Path) -> None:
    coco = shared / "data" / "coco-mini"
    table, fingerprint = open_coco(
        coco / "annotations" / "instances_val2017.json", coco / "images" / "val2017"
    )
    dataset = DetectionDataset("mini", table, fingerprint, dict, image_size=96)
    loader = train_loader(dataset, batch_size=16, augment=AugmentConfig(), seed=0, workers=2)
    sizes = []
    for epoch in range(3):
        for _ in loader.epoch(epoch):
            pass
        status = Path("/proc/self/status")
        if not status.is_file():
            pytest.skip("the system does not tell how much memory is used")
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
        sizes.append(int(line.split()[1]) / 1024)
    assert sizes[-1] - sizes[1] < 20, sizes  # MiB


def test_memory_of_a_batch_is_given_out_again_once_nobody_holds_it() -> None:
    memory = BatchMemory()
    first = memory.images(2, ImageSize.of(32))
    first.fill_(7)
    held, place = first[0], first.data_ptr()
    del first
    other = memory.images(2, ImageSize.of(32))
    other.fill_(9)
    assert (held == 7).all() and other.data_ptr() != place
    assert memory.images(1, ImageSize.of(32)).shape == (1, 3, 32, 32)
    view = held.numpy()
    del held
    assert memory.images(2, ImageSize.of(32)).data_ptr() != place
    del view
    assert memory.images(2, ImageSize.of(32)).data_ptr() == place


def test_free_batch_memory_is_limited() -> None:
    memory = BatchMemory()
    held = [memory.images(1, ImageSize.of(32)) for _ in range(40)]
    del held
    assert len(memory._free) == 16


@pytest.mark.parametrize("pool", [0, 5, 64])
def test_no_picture_twice_in_a_mosaic(painted: Painted, pool: int) -> None:
    plan = BatchPlan(painted.open(64), AugmentConfig(mosaic_pool=pool), 3, 4, 0, 1, True)
    order = plan.order(0)
    for position in range(3 * len(order)):
        index = int(order[position % len(order)])
        together = plan.partners(order, position, index, plan.generator(0, position), 3)
        assert len({index, *together}) == 4


def test_partners_come_from_everywhere_or_from_what_was_shown_lately(tmp_path: Path) -> None:
    dataset = Painted(tmp_path, 48).open(64)

    def all_partners(pool: int) -> set[int]:
        plan = BatchPlan(dataset, AugmentConfig(mosaic_pool=pool), 3, 1, 0, 1, True)
        order = plan.order(0)
        generator = plan.generator(0, 20)
        drawn = (plan.partners(order, 20, int(order[20]), generator, 3) for _ in range(99))
        return {index for indices in drawn for index in indices}

    order = BatchPlan(dataset, AugmentConfig(), 3, 1, 0, 1, True).order(0)
    assert all_partners(0) == set(range(48)) - {int(order[20])}
    assert all_partners(5) == {int(order[k]) for k in range(15, 20)}


def test_one_picture_alone_is_its_own_partner(tmp_path: Path) -> None:
    plan = BatchPlan(Painted(tmp_path, 1).open(64), AugmentConfig(), 3, 4, 0, 1, True)
    assert plan.partners(plan.order(0), 2, 0, plan.generator(0, 0), 3) == [0, 0, 0]

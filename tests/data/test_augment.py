"""The parts of augmentation, each held to a slower or simpler statement of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch
from numpy.random import default_rng
from numpy.typing import NDArray

from tests.data.data_sets import Painted
from yolor_gp.config.train_config import AugmentConfig
from yolor_gp.data.augment import compose, photometric
from yolor_gp.data.augment.affine import draw_affine, is_axis_aligned, warp_scene
from yolor_gp.data.augment.compose import Augmentation
from yolor_gp.data.augment.hsv import Gains, draw_gains, grey_before, recolour
from yolor_gp.data.augment.mixing import copy_paste
from yolor_gp.data.augment.photometric import Photometric
from yolor_gp.data.augment.placement import View, nearest_views, place_scene
from yolor_gp.data.augment.scene import Scene, Tile, mosaic, single
from yolor_gp.data.labels.instances import Instances, clip_instances, concatenate, no_instances
from yolor_gp.data.labels.polygons import index_maps
from yolor_gp.data.loading.collate import collate
from yolor_gp.errors import UserError
from yolor_gp.ops.image_size import ImageSize
from yolor_gp.ops.letterbox import evaluation_letterbox, pad
from yolor_gp.structures.sample import ImageMeta


def polygons(*objects: list[tuple[float, float]]) -> Instances:
    """One polygon an object, its label its number."""
    rings = [np.array(ring, np.float32) for ring in objects]
    return Instances(
        np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in rings], np.float32),
        np.arange(len(rings)),
        np.concatenate(rings),
        np.array([len(ring) for ring in rings]),
        np.ones(len(rings), np.int64),
        np.zeros(len(rings), np.bool_),
    )


def square(x: float, y: float, side: float) -> list[tuple[float, float]]:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def smooth_picture(generator: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    coarse = generator.integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def input_size(seed: int) -> ImageSize:
    """Square and not."""
    return ImageSize(160, 160) if seed % 2 else ImageSize(128, 192)


def random_scene(seed: int) -> Scene:
    generator, size = default_rng(seed), input_size(seed)
    tiles = []
    for _ in range(4):
        height, width = (int(generator.integers(side // 2, side)) for side in size)
        labels = polygons(square(10, 12, 30), square(width - 25, 20, 20))
        tiles.append(Tile(smooth_picture(generator, height, width), labels, (1.0, 1.0)))
    y, x = (int(generator.integers(side // 2, side * 3 // 2)) for side in size)
    return mosaic(tiles, size, (x, y))


def test_the_matrix_is_the_product_of_its_parts() -> None:
    config = AugmentConfig(rotate=40, shear=20, perspective=0.001)
    for seed in range(5):
        draws = default_rng(seed).uniform(-1, 1, 8)
        tilt, turn, shear, move = np.eye(3), np.eye(3), np.eye(3), np.eye(3)
        tilt[2, :2] = draws[:2] * 0.001
        angle = np.radians(draws[2] * 40)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn[:2, :2] *= 1 + draws[3] * config.scale
        shear[0, 1], shear[1, 0] = np.tan(np.radians(draws[4:6] * 20))
        move[:2, 2] = (0.5 + draws[6:] * config.translate) * (64, 32)
        centre = np.array([[1, 0, -64], [0, 1, -48], [0, 0, 1]])
        expected = move @ shear @ turn @ tilt @ centre
        found = draw_affine(default_rng(seed), config, ImageSize(96, 128), ImageSize(32, 64))
        assert np.allclose(found, expected)


def planes_of(image: NDArray[np.uint8], gains: Gains) -> NDArray[np.uint8]:
    """Recoloured, as u8[H, W, 3] again."""
    planes = np.empty((3, *image.shape[:2]), np.uint8)
    recolour(image.copy(), gains, planes)
    return planes.transpose(1, 2, 0)


def warped(
    scene: Scene, views: list[View | None], size: ImageSize
) -> tuple[NDArray[np.uint8], Instances]:
    """Canvas and warp of each tile through its own view, or of all through the one they share."""
    out = np.full((*size, 3), 114, np.uint8)
    parts = []
    shared = all(view is views[0] for view in views)
    for tile, view in [(None, views[0])] if shared else zip(scene.tiles, views, strict=True):
        if view is not None:
            tiles = scene.tiles if tile is None else (tile,)
            picture = np.empty_like(out)
            found = warp_scene(Scene(tiles, scene.canvas), view.matrix, picture)
            drawn = (view.x.begin, view.y.begin, view.x.end, view.y.end)
            parts.append(clip_instances(found, drawn))
            place = np.s_[view.y.begin : view.y.end, view.x.begin : view.x.end]
            out[place] = picture[place]
    return out, concatenate(parts)


@pytest.mark.parametrize("scale", [0.2, 0.47, 0.9, 1.0, 1.3, 1.9])
@pytest.mark.parametrize("seed", range(4))
def test_fast_placement_is_canvas_and_warp(seed: int, scale: float) -> None:
    scene, size = random_scene(seed), input_size(seed)
    move = default_rng(seed).uniform(60, 100, 2) - 160 * scale
    matrix = np.array([[scale, 0, move[0]], [0, scale, move[1]], [0, 0, 1]])
    fast = np.empty((*size, 3), np.uint8)
    ours = place_scene(scene, matrix, fast)
    slow, theirs = warped(scene, nearest_views(scene, matrix, size), size)
    difference = np.abs(fast.astype(int) - slow)
    assert difference[2:-2, 2:-2].mean() <= 0.02  # grey levels, seams and tiles' edges included
    assert difference.mean() < 0.2  # what lies beyond the output's edge is not blended in
    assert len(ours) == len(theirs) and (ours.labels == theirs.labels).all()
    assert np.allclose(ours.boxes, theirs.boxes, atol=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_the_nearest_views_are_near(seed: int) -> None:
    scene, size = random_scene(seed), input_size(seed)
    matrix = draw_affine(default_rng(seed), AugmentConfig(), scene.canvas, size)
    assert is_axis_aligned(matrix)
    views = [view for view in nearest_views(scene, matrix, size) if view is not None]
    assert views
    for view in views:
        for span, gain, move in zip((view.x, view.y), np.diag(matrix), matrix[:2, 2], strict=False):
            for edge, target in ((span.start, span.begin), (span.stop, span.end)):
                assert span.place(edge) == pytest.approx(target)
                assert abs(target - (edge * gain + move)) <= 0.5 + 0.5 * gain  # half a pixel each


def test_reduced_tiles_leave_no_gap_between_them() -> None:
    for seed in range(20):
        scene = random_scene(seed)
        white = [Tile(np.full_like(tile.image, 255), tile.instances, (1, 1), tile.left, tile.top)
                 for tile in scene.tiles]  # fmt: skip
        scale = default_rng(seed).uniform(0.2, 1)
        matrix = np.array([[scale, 0, 80 - 160 * scale], [0, scale, 80 - 160 * scale], [0, 0, 1]])
        out = np.empty((160, 160, 3), np.uint8)
        place_scene(Scene(tuple(white), scene.canvas), matrix, out)
        rows, columns = (out[:, :, 0] == 255).any(axis=1), (out[:, :, 0] == 255).any(axis=0)
        for seen in (rows, columns):  # from the first to the last that is seen, all are
            assert seen[np.flatnonzero(seen)[0] : np.flatnonzero(seen)[-1] + 1].all()


def test_one_picture_stands_in_the_centre_of_an_input_that_is_not_square() -> None:
    """Where the letterbox of validation puts it."""
    size, picture = ImageSize(height=64, width=160), np.full((64, 90, 3), 200, np.uint8)
    scene = single(Tile(picture, polygons(square(0, 0, 10)), (1.0, 1.0)), size)
    out = np.empty((*size, 3), np.uint8)
    found = place_scene(scene, np.eye(3), out)
    letterbox = evaluation_letterbox((64, 90), size)
    assert (out == pad(picture, letterbox)).all()
    assert found.boxes.tolist() == [[letterbox.left, 0, letterbox.left + 10, 10]]


def test_mosaics_meet_within_half_a_side_of_the_middle(
    painted: Painted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Width by width and height by height, where the input is not square."""
    size, centres = ImageSize(height=32, width=128), []

    def watched(tiles: Sequence[Tile], given: ImageSize, centre: tuple[int, int]) -> Scene:
        centres.append(centre)
        return mosaic(tiles, given, centre)

    monkeypatch.setattr(compose, "mosaic", watched)
    augmentation = Augmentation(painted.open(size), AugmentConfig(mosaic=1.0))
    for seed in range(60):
        augmentation(default_rng(seed), 0, lambda *_: [1, 2, 3], np.empty((3, *size), np.uint8))
    x, y = np.array(centres).T
    assert 64 <= x.min() < 80 and 170 < x.max() <= 192
    assert 16 <= y.min() < 22 and 42 < y.max() <= 48


def test_a_scene_out_of_sight_is_grey() -> None:
    matrix = np.array([[1.0, 0, 900], [0, 1, 0], [0, 0, 1]])
    out = np.zeros((160, 160, 3), np.uint8)
    assert len(place_scene(random_scene(0), matrix, out)) == 0
    assert (out == 114).all()


def test_gains_multiply_saturation_and_value_and_turn_the_hue() -> None:
    import colorsys

    # Nothing is cut off: not brighter than 200, and none so colourful that more would be too much.
    image = default_rng(0).integers(60, 200, (30, 30, 3)).astype(np.uint8)
    for gains in ((1.0, 1.3, 0.8), (1.0, 0.4, 1.25), (1.05, 1.0, 1.0)):
        found = planes_of(image, gains)
        turns, others = [], []
        for before, after in zip(image.reshape(-1, 3), found.reshape(-1, 3), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*(before / 255))
            expected = colorsys.hsv_to_rgb(hue, saturation * gains[1], value * gains[2])
            others.append(np.abs(np.array(expected) * 255 - after).max())
            if saturation > 0.3:
                turned = colorsys.rgb_to_hsv(*(after / 255))[0] - hue
                turns.append((turned + 0.5) % 1 - 0.5)
        if gains[0] == 1:
            assert np.max(others) <= 1  # rounding
        else:
            assert 360 * np.mean(turns) == pytest.approx(180 * (gains[0] - 1), abs=0.5)
            assert 360 * np.std(turns) < 2
            assert np.allclose(found.mean(axis=2), image.mean(axis=2), atol=1)


def test_neutral_gains_change_nothing() -> None:
    image = default_rng(0).integers(0, 256, (300, 20, 3)).astype(np.uint8)
    assert (planes_of(image, (1.0, 1.0, 1.0)) == image).all()


def test_the_way_of_cutting_off_is_near_to_that_of_hsv() -> None:
    """Where a channel leaves 0..255 the ways differ; by how much is what the docstring says."""
    image = smooth_picture(default_rng(1), 160, 160)
    changes, errors = [], []
    for seed in range(20):
        gains = draw_gains(default_rng(seed), AugmentConfig(hue=0))
        hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
        hsv *= np.array(gains, np.float32)
        hsv[..., 1:] = hsv[..., 1:].clip(0, 1)
        expected = 255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        errors.append(np.abs(planes_of(image, gains) - expected).mean())
        changes.append(np.abs(image - expected).mean())
    assert np.mean(errors) < 0.2 * np.mean(changes)


@pytest.mark.parametrize("value", [0.0, 0.3, 0.6, 1.0, 1.4, 2.0])
def test_the_padding_keeps_its_grey(value: float) -> None:
    gains = (1.01, 0.5, value)
    grey = np.full((4, 4, 3), grey_before(gains), np.uint8)
    found = planes_of(grey, gains)
    brightest = min(255 * value, 114)  # no grey is bright enough for a very dark picture
    assert np.abs(found.astype(float) - brightest).max() <= 1 + value


def test_clipping_cuts_outlines_exactly() -> None:
    triangle = polygons([(-10, 10), (30, 10), (10, 30)])
    clipped = clip_instances(triangle, (0, 0, 100, 20))
    # Left of x = 0: a corner of side 10; below y = 20: a triangle of base 20, height 10.
    assert clipped.areas()[0] == pytest.approx(400 - 50 - 100, abs=1e-3)
    assert clipped.boxes[0].tolist() == [0, 10, 30, 20]


@pytest.mark.parametrize("seed", range(5))
def test_clipped_outlines_cover_the_same_pixels(seed: int) -> None:
    generator = default_rng(seed)
    angles = np.sort(generator.uniform(0, 2 * np.pi, (6, 9)), axis=1)
    radius = generator.uniform(15, 60, (6, 9))
    centre = generator.uniform(0, 100, (6, 1, 2))
    rings = np.stack((radius * np.cos(angles), radius * np.sin(angles)), axis=2) + centre
    instances = polygons(*[[(float(x), float(y)) for x, y in ring] for ring in rings])
    clipped = clip_instances(instances, (10, 20, 90, 70))
    assert len(clipped) > 2
    for label, ring_list, box in zip(clipped.labels, clipped.rings(), clipped.boxes, strict=True):
        whole, part = np.zeros((2, 100, 100), np.uint8)
        fixed = np.rint(rings[label] - 0.5).astype(np.int32)
        cv2.fillPoly(whole, [fixed], 1)
        for ring in ring_list:
            cv2.fillPoly(part, [np.rint(ring - 0.5).astype(np.int32)], 1)
        inner = np.s_[21:69, 11:89]
        assert (whole[inner] != part[inner]).mean() < 0.01
        rows, columns = np.nonzero(part)
        around = np.array((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        assert np.abs(box - around).max() <= 2


def test_what_is_hardly_left_is_dropped() -> None:
    instances = polygons(
        square(-99, 10, 100), square(-50, 10, 100), square(5, 5, 1), square(200, 0, 9)
    )
    assert clip_instances(instances, (0, 0, 100, 100)).labels.tolist() == [1]
    boxes = Instances(
        instances.boxes, instances.labels, *(np.zeros((0, 2), np.float32), np.zeros(0, np.int64)),
        np.zeros(4, np.int64), np.zeros(4, np.bool_),
    )  # fmt: skip
    assert clip_instances(boxes, (0, 0, 100, 100)).boxes.tolist() == [[0, 10, 50, 100]]
    assert len(clip_instances(no_instances(), (0, 0, 9, 9))) == 0


def test_smaller_objects_lie_on_top() -> None:
    instances = polygons(square(8, 8, 16), square(0, 0, 64), square(32, 32, 8))
    (found,) = index_maps([instances], (64, 64))
    assert found.dtype == np.uint8 and found.shape == (16, 16)
    expected = np.full((16, 16), 2)
    expected[2:6, 2:6], expected[8:10, 8:10] = 1, 3
    assert (found == expected).all()


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_cell_shows_what_covers_its_centre(stride: int) -> None:
    left, top, side = 4.3, 8.3, 19.4  # OpenCV fills what an edge touches, here of no centre
    (found,) = index_maps([polygons(square(left, top, side))], (48, 40), stride)
    x, y = ((np.arange(n // stride) + 0.5) * stride for n in (40, 48))
    columns, rows = (x > left) & (x < left + side), (y > top) & (y < top + side)
    assert (found == (rows[:, None] & columns)).all()


def test_many_objects_need_a_wider_map() -> None:
    places = [square(4 * (k % 20), 4 * (k // 20), 4) for k in range(300)]
    (found,) = index_maps([polygons(*places)], (64, 80))
    assert found.dtype == np.int16
    assert (found[:15] == np.arange(1, 301).reshape(15, 20)).all()


def test_outlines_add_up_but_bitmaps_have_holes() -> None:
    two_rings = concatenate([polygons(square(0, 0, 32)), polygons(square(8, 8, 16))])
    for even_odd, middle in ((False, 1), (True, 0)):
        one = Instances(
            two_rings.boxes[:1], two_rings.labels[:1], two_rings.points, two_rings.ring_lengths,
            np.array([2]), np.array([even_odd]),
        )  # fmt: skip
        (found,) = index_maps([one], (32, 32))
        assert found[4, 4] == middle and found[0, 0] == 1


def test_batches_without_any_object() -> None:
    images = torch.zeros((2, 3, 32, 32), dtype=torch.uint8)
    metas = [ImageMeta(k, "", (32, 32)) for k in range(2)]
    batch = collate(images, [no_instances()] * 2, metas, mask_stride=4)
    assert len(batch.targets) == 0 and batch.targets.index_map is not None
    assert not batch.targets.index_map.any()


def test_copy_paste_mirrors_pixels_with_their_objects(painted: Painted) -> None:
    sample = painted.open().load(0)
    instances = painted.open().instances(0)
    image, found = copy_paste(default_rng(0), sample.image, instances, 1.0)
    assert len(found) > len(instances) and (found.labels[:4] == instances.labels).all()
    width = image.shape[1]
    for box, label in zip(found.boxes[4:], found.labels[4:], strict=True):
        source = instances.boxes[instances.labels == label][0]
        assert np.allclose(box[[0, 2]], width - source[[2, 0]])
    unchanged, same = copy_paste(default_rng(0), sample.image, instances, 0.0)
    assert unchanged is sample.image and same is instances


def test_a_list_of_the_users_own() -> None:
    image = default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    change = Photometric(
        [{"GaussianBlur": {"blur_limit": [3, 7], "p": 1.0}}, {"ToGray": {"p": 0.5}}]
    )
    first = [change(default_rng(seed), image) for seed in range(6)]
    again = [change(default_rng(seed), image) for seed in range(6)]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != first[0]).any() for a in first[1:])
    assert first[0].shape == image.shape and (first[0] != image).any()


@pytest.mark.parametrize(
    ("transforms", "expected"),
    [
        ([{"GausianBlur": {}}], "unknown transform 'GausianBlur'; did you mean 'GaussianBlur'?"),
        (
            [{"GaussianBlur": {"blur_limt": 3}}],
            "no argument 'blur_limt'; did you mean 'blur_limit'?",
        ),
        ([{"HorizontalFlip": {}}], "'HorizontalFlip' moves pixels"),
        ([{"GaussianBlur": {"blur_limit": "x"}}], "GaussianBlur refuses its arguments"),
        ([{"ToGray": {}}, {"Compose": {}}], r"albumentations\[1\]: unknown transform 'Compose'"),
    ],
)
def test_wrong_lists_are_named(
    transforms: list[dict[str, dict[str, object]]], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        Photometric(transforms)


def test_the_agpl_namesake_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photometric.metadata, "version", lambda name: "2.5.1")
    with pytest.raises(UserError, match=r"AlbumentationsX 2\.5\.1 is installed, which is AGPL"):
        Photometric([{"ToGray": {}}])

"""What the rows of a table are, detectors or classifiers, and how each kind is trained and told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from yolor_gp.ablation.answers import read_answers
from yolor_gp.ablation.folder import AblationFolder, Job, Plan
from yolor_gp.ablation.matching import match
from yolor_gp.ablation.paired import Outcome
from yolor_gp.classification.examine import examine as examine_labelled
from yolor_gp.classification.open_data import open_data as open_labelled
from yolor_gp.classification.task import (
    build_network_to_train,
    chosen_classifier,
    classification_task,
)
from yolor_gp.config.classification_config import (
    DEFAULT_RECIPE,
    load_classification_recipe,
    make_classification_config,
)
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.run_config import AUTO, load_recipe, make_run_config
from yolor_gp.data.datasets import open_dataset
from yolor_gp.data.doctor import examine
from yolor_gp.detection.chosen_recipe import with_recipe
from yolor_gp.detection.task import (
    build_detection_network,
    chosen_model,
    detection_task,
    open_data,
)
from yolor_gp.engine.data_check import check_data
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import training_device
from yolor_gp.engine.task import Task
from yolor_gp.evaluation.coco_format import prepare_truth


@dataclass(frozen=True)
class Figure:
    """One figure of a row.

    Attributes:
        title: For people.
        place: Where the JSON of an evaluation has it, in 0..1.
        history: The column of a run's metrics.csv that has it on the way; "" for none.
    """

    title: str
    place: tuple[str, ...]
    history: str = ""

    def of(self, evaluation: Mapping[str, Any]) -> float | None:
        """The figure in percent, None where the evaluation has none."""
        found: Any = evaluation
        for key in self.place:
            if key not in found:
                return None
            found = found[key]
        return 100 * float(found)


class Subject(ABC):
    """One kind of rows.

    Attributes:
        figures: By the names that tables give them; rows are compared by the first.
        unit: Of its differences.
        small_recipe: Of a proxy, unless another is asked for.
        small_flags: More words of training for the rows of a proxy.
    """

    figures: ClassVar[Mapping[str, Figure]]
    unit: str
    small_recipe: str
    small_flags: tuple[str, ...] = ()

    @property
    def main(self) -> str:
        """The name of the figure by which rows are compared."""
        return next(iter(self.figures))

    @abstractmethod
    def check(self, plan: Plan) -> None:
        """Refuse data or a recipe that cannot be trained with.

        Raises:
            UserError: With all that is wrong.
        """

    @abstractmethod
    def protocol(self, plan: Plan) -> str:
        """How rows are validated, for people: "at ..."."""

    @abstractmethod
    def train_words(self, plan: Plan) -> list[str]:
        """The command that trains a row, with what is the same for all rows."""

    @abstractmethod
    def val_words(self, plan: Plan, predictions: Path) -> list[str]:
        """The command that validates a row by the table's protocol; a proxy keeps predictions."""

    @abstractmethod
    def task(self, plan: Plan, model: str, device: str) -> tuple[Task, int]:
        """What would be trained, by one process, and the number of validation images."""

    @abstractmethod
    def outcomes(self, folder: AblationFolder, jobs: Sequence[Job]) -> dict[int, Outcome]:
        """By seed what finished runs did on every image; only those that kept it."""


class Detectors(Subject):
    """Rows that find boxes and masks."""

    figures: ClassVar[Mapping[str, Figure]] = {
        "box_ap": Figure("box AP", ("bbox", "AP"), "val/box AP"),
        "box_ap75": Figure("box AP75", ("bbox", "AP75")),
        "mask_ap": Figure("mask AP", ("segm", "AP"), "val/mask AP"),
        "mask_ap75": Figure("mask AP75", ("segm", "AP75")),
    }
    unit = "AP"
    small_recipe = AUTO
    small_flags = ("--anchors", "keep")

    def check(self, plan: Plan) -> None:  # noqa: D102
        check_data(partial(examine, load_data_config(plan.data)))
        if plan.table.hyp != AUTO:
            load_recipe(plan.table.hyp)

    def protocol(self, plan: Plan) -> str:  # noqa: D102
        words = plan.table.validation
        return (
            f"at confidence {words.confidence:g}, NMS {words.iou:g}, at most"
            f" {words.max_detections} an image"
        )

    def train_words(self, plan: Plan) -> list[str]:  # noqa: D102
        return ["train"]

    def val_words(self, plan: Plan, predictions: Path) -> list[str]:  # noqa: D102
        protocol = plan.table.validation
        words = [
            "val", "--confidence", f"{protocol.confidence:g}", "--iou", f"{protocol.iou:g}",
            "--max-detections", str(protocol.max_detections),
        ]  # fmt: skip
        return words if plan.proxy is None else [*words, "--save-json", str(predictions)]

    def task(self, plan: Plan, model: str, device: str) -> tuple[Task, int]:  # noqa: D102
        context, place = DistributedContext(), training_device(device, 0, 1)
        config = make_run_config({**_given(plan, model, device), "workers": 0}, ())
        data = open_data(config, context)
        config = with_recipe(config, data.train, pretrained=False, processes=context.size)
        network, _ = build_detection_network(chosen_model(config), data, config, place)
        return detection_task(config, data, network, context, place), len(data.val)

    def outcomes(  # noqa: D102
        self, folder: AblationFolder, jobs: Sequence[Job]
    ) -> dict[int, Outcome]:
        config = load_data_config(folder.plan.data)
        dataset = open_dataset(config, "val", image_size=folder.plan.table.img)
        truth = prepare_truth(dataset.ground_truth().load(), with_masks=False)
        return {job.seed: match(truth, job.predictions) for job in _kept(jobs)}


class Classifiers(Subject):
    """Rows that tell what an image shows."""

    figures: ClassVar[Mapping[str, Figure]] = {
        "top1": Figure("top-1", ("top-1",), "val/top-1"),
        "top5": Figure("top-5", ("top-5",)),
    }
    unit = "points"
    small_recipe = DEFAULT_RECIPE

    def check(self, plan: Plan) -> None:  # noqa: D102
        check_data(partial(examine_labelled, open_labelled(plan.data)))
        load_classification_recipe(plan.table.hyp)

    def protocol(self, plan: Plan) -> str:  # noqa: D102
        return f"on whole images at {plan.table.img} px"

    def train_words(self, plan: Plan) -> list[str]:  # noqa: D102
        return ["classify", "train"]

    def val_words(self, plan: Plan, predictions: Path) -> list[str]:  # noqa: D102
        words = ["classify", "val", "--batch-size", str(plan.table.batch_size)]
        return words if plan.proxy is None else [*words, "--save-json", str(predictions)]

    def task(self, plan: Plan, model: str, device: str) -> tuple[Task, int]:  # noqa: D102
        context, place = DistributedContext(), training_device(device, 0, 1)
        config = make_classification_config({**_given(plan, model, device), "workers": 0}, ())
        data = open_labelled(config.data)
        network, _ = build_network_to_train(chosen_classifier(config), data, config, place)
        return classification_task(config, data, network, context, place), len(data.val)

    def outcomes(  # noqa: D102
        self, folder: AblationFolder, jobs: Sequence[Job]
    ) -> dict[int, Outcome]:
        del folder
        return {job.seed: read_answers(job.predictions) for job in _kept(jobs)}


_SUBJECTS: dict[str, Subject] = {"detection": Detectors(), "classification": Classifiers()}


def subject_of(plan: Plan) -> Subject:
    """What the rows of a plan are."""
    return _SUBJECTS[plan.table.task]


def _given(plan: Plan, model: str, device: str) -> dict[str, Any]:
    return {
        "cfg": model, "data": plan.data, "hyp": plan.table.hyp, "image_size": plan.table.img,
        "batch_size": plan.table.batch_size, "device": device,
    }  # fmt: skip


def _kept(jobs: Sequence[Job]) -> list[Job]:
    """The finished ones that kept what they predicted."""
    return [job for job in jobs if job.figures() is not None and job.predictions.is_file()]

"""The recipe of a run: as named, or made to fit the data, its length within a given time."""

from __future__ import annotations

import logging
from dataclasses import replace

from yolor_gp.config.run_config import AUTO, RunConfig
from yolor_gp.config.train_config import merged
from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.loading.rare_classes import class_weights
from yolor_gp.detection.auto_recipe import choose_recipe, situation_of, usual_batch
from yolor_gp.engine.budget import of_length

_log = logging.getLogger(__name__)


def with_recipe(
    config: RunConfig,
    dataset: DetectionDataset,
    *,
    pretrained: bool,
    processes: int,
    epochs: int | None = None,
) -> RunConfig:
    """The recipe for these data: with `hyp: auto` chosen, class weights made into numbers.

    config: its recipe holds what was given by `--set`, which stays; epochs: in place of what was
    given. A batch size that was not given is chosen, too, for a training of one process.
    """
    chosen = _chosen(config, dataset, pretrained, epochs, processes)
    recipe = chosen.recipe
    if recipe.loss.class_weights != "auto":
        return chosen
    weights = class_weights(dataset.table.labels, len(dataset.names))
    loss = recipe.loss.model_copy(update={"class_weights": weights})
    return chosen.model_copy(update={"recipe": recipe.model_copy(update={"loss": loss})})


def _chosen(
    config: RunConfig,
    dataset: DetectionDataset,
    pretrained: bool,
    epochs: int | None,
    processes: int,
) -> RunConfig:
    given = config.recipe
    if config.hyp != AUTO:
        return config if epochs is None else of_length(config, epochs)
    if epochs is None and "epochs" in given.schedule.model_fields_set:
        epochs = given.schedule.epochs
    situation = situation_of(
        dataset,
        image_size=config.image_size,
        batch_size=config.batch_size,
        pretrained=pretrained,
        epochs=epochs,
    )
    if processes == 1 and "batch_size" not in config.model_fields_set:
        situation = replace(situation, batch_size=usual_batch(situation))
        config = config.model_copy(update={"batch_size": situation.batch_size})
    recipe, reasons = choose_recipe(situation)
    chosen = config.model_copy(update={"recipe": merged(recipe, given), "reasons": tuple(reasons)})
    return chosen if epochs is None else of_length(chosen, epochs)


def say_recipe(config: RunConfig) -> None:
    """Why the recipe is as it is."""
    for reason in config.reasons:
        _log.info("recipe: %s", reason)

"""Inferences by name; see ``impact.estimators.registry``."""

from __future__ import annotations

from impact.estimators.registry import named
from impact.inference.protocol import Inference

__all__ = ["INFERENCES", "LATER", "resolve"]

INFERENCES: dict[str, str] = {
    "cluster-jackknife": "impact.inference.cluster:ClusterJackknife",
    "score-flip": "impact.inference.flip:ScoreFlip",
    "scores": "impact.inference.cluster:Scores",
    "jackknife": "impact.inference.cluster:Jackknife",
    "placebo-space": "impact.inference.placebo:PlaceboSpace",
    "placebo-time": "impact.inference.placebo_time:PlaceboTime",
    "multiplier": "impact.inference.multiplier:Multiplier",
    "wild": "impact.inference.wild:Wild",
    "subcluster-wild": "impact.inference.wild:SubclusterWild",
    "randomization-t": "impact.inference.randomization:RandomizationT",
    "conley-taber": "impact.inference.few_treated:ConleyTaber",
    "ferman-pinto": "impact.inference.few_treated:FermanPinto",
    "ibragimov-mueller": "impact.inference.between_clusters:IbragimovMueller",
    "bootstrap": "impact.inference.bootstrap:Bootstrap",
    "conformal": "impact.inference.conformal:Conformal",
    "prediction-interval": "impact.inference.prediction:PredictionInterval",
    "conley": "impact.inference.conley:Conley",
    "driscoll-kraay": "impact.inference.driscoll_kraay:DriscollKraay",
}

LATER: tuple[str, ...] = ()


def resolve(name: str) -> type[Inference]:
    """The inference class registered under `name`.

    Raises
    ------
    UsageError
        ``USAGE-001`` with the nearest name, or the word that it comes later.
    """
    found: type[Inference] = named(name, INFERENCES, LATER, "inference")
    return found

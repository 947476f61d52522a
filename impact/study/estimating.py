"""What a study says of its estimator and its inference: a registered name, and parameters of its own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from impact.study.fields import Covariate, Part, Word, as_cluster, as_covariate, as_named

__all__ = ["Cluster", "Estimating", "Inference", "Method"]


class Method(BaseModel):
    """A registered name and its own parameters, which `rules` holds against the class."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    name: Word = Field(description="the name of the method")

    @property
    def options(self) -> dict[str, Any]:
        """The parameters that the study gives."""
        return dict(self.model_extra or {})


class Estimating(Method):
    """How the untreated outcome is imputed; `covariates` are columns of the units table that the estimate adjusts for.

    The groups structure, size and selection stand for their columns.
    """

    covariates: tuple[Annotated[Covariate, BeforeValidator(as_covariate)], ...] = Field(
        default=(),
        description="what the estimate adjusts for: columns of the units table, each as it is or as {log: …}, "
        "{square: …}, {category: …} or {interaction: [one, other]}",
    )


class Cluster(Part):
    """Which units move together: of one gemeente, each by itself, or alike in a column of the units table."""

    by: Literal["gemeente", "unit"] | None = None
    column: Word | None = None


class Inference(Method):
    """How sure; `beside` gives further p-values that stand beside the declared one and are never chosen from."""

    cluster: Annotated[Cluster, BeforeValidator(as_cluster)] = Cluster(by="gemeente")
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    beside: tuple[Annotated[Method, BeforeValidator(as_named)], ...] = ()

"""The bundle of the first study, as elsewhere."""

from tests.study.conftest import first

__all__ = ["first"]

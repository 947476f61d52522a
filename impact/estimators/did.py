"""Difference-in-differences of means with all pre-periods as base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["DiD"]

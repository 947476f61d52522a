"""One ordered map: in-process or over joblib's processes, one numeric thread inside every task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["Bar", "Memory", "Parallel", "Progress", "forgetful", "one_thread", "silent"]

Item = TypeVar("Item")
Out = TypeVar("Out")


class Progress(Protocol):
    """Told how far a piece of work is; ``impact.cli`` draws a bar from it, libraries stay silent."""

    def __call__(self, label: str, done: int, total: int) -> None: ...


def silent(label: str, done: int, total: int) -> None:
    """The progress that shows nothing."""


class Memory(Protocol):
    """Gives what `make` makes, which follows from the values `of` and nothing else: made now, or kept from before."""

    def __call__(self, make: Callable[[], Out], *of: object) -> Out: ...


def forgetful(make: Callable[[], Out], *of: object) -> Out:
    """The memory that keeps nothing."""
    return make()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run under one BLAS thread, so that sums are added in one order whatever the machine."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def _guarded(function: Callable[[Item], Out], item: Item) -> Out:
    with one_thread():
        return function(item)


@dataclass(frozen=True, slots=True)
class Parallel:
    """Apply a function to items, results in the order of the items.

    Attributes
    ----------
    workers : int
        1 computes in this process; more uses joblib's loky processes (or the Dask cluster that joblib
        was told about with ``joblib.parallel_config``). Results are the same for any number.
    progress : Progress
        Called after every finished item.
    memory : Memory
        Asked before work that takes long.
    """

    workers: int = 1
    progress: Progress = silent
    memory: Memory = forgetful

    def map(self, function: Callable[[Item], Out], items: Sequence[Item], label: str = "") -> list[Out]:
        """``[function(item) for item in items]``; Ctrl-C stops it and leaves no worker behind."""
        results: list[Out] = []
        for result in self._results(function, items):
            results.append(result)
            self.progress(label, len(results), len(items))
        return results

    def _results(self, function: Callable[[Item], Out], items: Sequence[Item]) -> Iterator[Out]:
        if self.workers <= 1 or len(items) < 2:
            with one_thread():
                for item in items:
                    yield function(item)
            return
        import joblib

        pool = joblib.Parallel(n_jobs=self.workers, return_as="generator")
        yield from pool(joblib.delayed(_guarded)(function, item) for item in items)


class Bar:
    """A progress bar, one line per kind of work, on standard error or in the notebook; silence where neither is there.

    ``with Bar() as progress: impact.run(study, progress=progress)``
    """

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.progress import Progress as Lines

        self.lines = Lines(console=Console(stderr=True), transient=True)
        self.tasks: dict[str, TaskID] = {}
        self.lines.start()
        return self._advance

    def _advance(self, label: str, done: int, total: int) -> None:
        if label not in self.tasks:
            self.tasks[label] = self.lines.add_task(label, total=total)
        self.lines.update(self.tasks[label], completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self.lines.stop()

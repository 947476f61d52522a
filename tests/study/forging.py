"""A sound bundle of a small locked study, and every way to change it afterwards."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import impact
from impact.files import zipped
from impact.study.archive import Contents
from impact.study.bundle import contents, parsed
from impact.study.fixed import fixed
from impact.study.recompute import recompute
from impact.study.render import pages
from impact.study.verification import Level, Verification
from tests.study.conftest import impact as command
from tests.study.conftest import tree
from tests.study.small import Small, made

GIVEN = ("study.yaml", "study.lock", "study.log.jsonl", "environment.json", "aggregates.csv", "results.json")
CHANGES = (
    (
        "columns: {region: wijk, residents: inwoners, structure: [huur], size: [inwoners]}\n",
        "columns: {region: wijk, residents: inwoners, structure: [huur], size: [inwoners]}\n    share: true\n",
    ),
    (
        "inference: {name: cluster-jackknife, cluster: gemeente}",
        "inference: {name: cluster-jackknife, cluster: gemeente, beside: [score-flip]}\n"
        "alternatives:\n"
        "- {name: placebo, why: anders, same_estimand: true, change: {inference: {name: placebo-space, draws: 60,"
        " statistic: estimate}}}\n"
        "- {name: scores, why: anders, same_estimand: true, change: {inference: {name: scores}}}\n"
        "- {name: jackknife, why: anders, same_estimand: true, change: {inference: {name: jackknife}}}\n"
        "- {name: bootstrap, why: anders, same_estimand: true, change: {inference: {name: bootstrap, draws: 20}}}",
    ),
)


@dataclass
class Forged:
    """The files of a bundle that a test may change, and how they are put back together."""

    place: Path
    files: dict[str, bytes] = field(default_factory=dict)

    def json(self, name: str, change: Callable[[Any], object]) -> None:
        """Change the value in a JSON file."""
        value = json.loads(self.files[name])
        change(value)
        text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
        self.files[name] = f"{text}\n".encode()

    def outcome(self, change: Callable[[dict[str, Any]], object]) -> None:
        self.json("results.json", lambda value: change(value["outcomes"][0]))

    def text(self, name: str, *pairs: tuple[str, str]) -> None:
        text = self.files[name].decode()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        self.files[name] = text.encode()

    def mend(self) -> None:
        """State every digest anew in the manifest, as a careful forger does."""
        outputs = {
            name: hashlib.sha256(content).hexdigest() for name, content in self.files.items() if name != "manifest.json"
        }
        self.json("manifest.json", lambda value: value.update(outputs=outputs))

    def remake(self) -> None:
        """Make every table, figure and page anew from the forged results, as a thorough forger does."""
        outcomes = parsed(self.files["results.json"], "")
        versions = json.loads(self.files["manifest.json"])["versions"]
        given = {name: text for name, text in self.files.items() if name in GIVEN or name.startswith("inputs/")}
        self.files = contents(outcomes, *pages(outcomes), versions, given)

    def zip(self) -> Path:
        file = self.place / "bundle.zip"
        file.write_bytes(zipped(self.files))
        return file

    def folder(self) -> Path:
        folder = self.place / "map"
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    def verified(self, **options: Any) -> Verification:
        return impact.verify(self.zip(), **options)

    def fixed(self) -> Level:
        """The second level alone, which draws nothing; the manifest says what the forged results say."""
        outcomes = parsed(self.files["results.json"], "")
        manifest = json.loads(self.files["manifest.json"])
        manifest |= {key: getattr(outcomes[0], key) for key in ("seed", "status", "spec_sha256")}
        inputs = {(one.role, one.file, one.sha256) for outcome in outcomes for one in outcome.data}
        manifest["inputs"] = [dict(zip(("role", "file", "sha256"), one, strict=True)) for one in inputs]
        return fixed(Contents(self.place, self.files, None), manifest, outcomes)

    def computed(self) -> set[str]:
        """Which numbers are not what follows from the aggregates."""
        found = recompute(Contents(self.place, self.files, None), parsed(self.files["results.json"], ""))
        return {said.values.get("what", said.key) for said in found.wrong}


@dataclass(frozen=True)
class Sound:
    """The study, its bundle, and copies of it to forge."""

    small: Small
    files: dict[str, bytes]

    def forge(self, place: Path) -> Forged:
        return Forged(place, copy.copy(self.files))


def sound(root: Path) -> Sound:
    """Lock and run the study."""
    small = made(root)
    small.write(*CHANGES)
    assert command("lock", small.study).code == 0
    ended = command("run", small.study, "--out", small.out)
    assert ended.code in (0, 1), ended.err
    return Sound(small, {name: content for name, content in tree(small.out).items() if name != "bundle.zip"})


def told(level: Level) -> set[str]:
    """Keys of what differs."""
    return {said.key for said in level.differences}


def named(level: Level, key: str, of: str) -> set[str]:
    """What is named with a key."""
    return {said.values[of] for said in level.differences if said.key == key}

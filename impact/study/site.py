"""A static site of bundles: each that stands in a folder is verified, and its pages and its zip come into the site."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from impact.errors import DataError, ImpactError, Problem, WriteError
from impact.evidence.document import Cell, Foreign
from impact.evidence.language import Texts, texts
from impact.evidence.site import Listed, Unfit, site_pages
from impact.files import folder, read_json, write, zipped
from impact.parallel import Progress, silent
from impact.study.archive import read_contents
from impact.study.bundle import ARCHIVE, MANIFEST
from impact.study.render import LANGUAGES
from impact.study.site_entry import BUNDLES, RESULTS, entry
from impact.study.verification import Verification
from impact.study.verify import verify

__all__ = ["Site", "bundles_in", "write_site"]

LIST = "site.json"
"""Names every file of a site, by which a later site knows what it may replace."""

_SUMS = "SHA256SUMS"
_DEEPEST = 12
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Site:
    """A site on disk: the bundles in it, and those that are only named."""

    path: Path
    listed: tuple[Listed, ...]
    unfit: tuple[Unfit, ...]


def bundles_in(root: Path, but: Path | None = None) -> list[Path]:
    """Folders and zips that are bundles, or look like one, in the order of their names; nothing inside a bundle.

    Links and hidden folders are not followed, and neither is `but`, the place of the site itself.

    Raises
    ------
    DataError
        ``SITE-001`` there is none.
    """
    apart = None if but is None else but.resolve()
    found = list(_found(root, apart, 0)) if root.is_dir() else [root] * root.is_file()
    if not found:
        hint = "Give the folder in which `impact run` wrote, such as out."
        raise DataError(Problem("SITE-001", "there is no bundle here", hint, str(root)))
    return found


def _found(place: Path, apart: Path | None, depth: int) -> Iterator[Path]:
    if any((place / name).is_file() for name in (RESULTS, MANIFEST)):
        yield place
        return
    with os.scandir(place) as entries:
        there = sorted(entries, key=lambda one: one.name)
    for one in there:
        path = Path(one.path)
        if one.name.startswith(".") or path.resolve() == apart:
            continue
        if one.is_dir(follow_symlinks=False) and depth < _DEEPEST:
            yield from _found(path, apart, depth + 1)
        elif one.is_file(follow_symlinks=False) and path.suffix.lower() == ".zip":
            yield path


def write_site(root: Path, out: Path, *, studies: Path = Path("studies"), progress: Progress = silent) -> Site:
    """Verify every bundle in `root` and write the site of them into `out`; the last one stands until this is whole.

    A bundle that cannot be read, or that differs from how it was made, is named with the reason, and nothing of it is
    shown. Of the others the zip is copied as it is; pages are made again from the results, so that no markup of
    somebody else comes into the site. The bytes depend on the bundles alone.

    Parameters
    ----------
    root : Path
        A folder with bundles, as folders or as zips.
    out : Path
        Of the site; empty, or an earlier site.
    studies : Path
        Folder of studies, for what was withdrawn after a bundle was made.
    progress : Progress
        Told how many bundles are done.

    Raises
    ------
    DataError
        ``SITE-001`` there is no bundle.
    WriteError
        ``SITE-002`` the place of the site holds something else; ``WRITE-001`` the file system refuses.
    """
    found = bundles_in(root, but=out)
    _check_place(out, found)
    listed: dict[str, Listed] = {}
    unfit: list[Unfit] = []
    digests: dict[str, str] = {}
    with folder(out) as place:
        for number, path in enumerate(found):
            progress("bundles", number, len(found))
            read = _listed(path, root, studies, listed)
            if isinstance(read, Unfit):
                unfit.append(read)
            elif read is not None:
                one, files = read
                listed[one.sha256] = one
                digests |= _write(place, files)
        progress("bundles", len(found), len(found))
        entries = sorted(listed.values(), key=lambda one: one.name)
        for language in LANGUAGES:
            made = site_pages(entries, unfit, language)
            digests |= _write(place, {name: text.encode("utf-8") for name, text in made.items()})
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
        write(place / _SUMS, sums)
        write(place / LIST, json.dumps({"schema": 1, "files": digests}, indent=1, sort_keys=True) + "\n")
    return Site(out, tuple(entries), tuple(unfit))


def _listed(
    path: Path, root: Path, studies: Path, before: Mapping[str, Listed]
) -> tuple[Listed, dict[str, bytes]] | Unfit | None:
    """A bundle with its files in the site, or what is wrong with it; None for one that is there already."""
    where = path.name if path == root else path.relative_to(root).as_posix()
    try:
        contents = read_contents(path)
        archive = zipped(contents.files) if contents.archive is None else contents.archive
        digest = hashlib.sha256(archive).hexdigest()
        if digest in before:
            return None
        found = verify(path)
        if found.differs or found.sha256 not in ("", digest):
            return Unfit(where, {language: tuple(_wrong(found, texts(language))) for language in LANGUAGES})
        one, made = entry(contents, where, found, digest, studies, {listed.name for listed in before.values()})
        for language in LANGUAGES:
            site_pages([one], (), language)
    except ImpactError as error:
        why = [problem.message for problem in error.problems]
        return Unfit(where, {language: tuple(_no_bundle("unreadable", why, texts(language))) for language in LANGUAGES})
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        why = [f"{type(error).__name__}: {error}"]
        return Unfit(where, {language: tuple(_no_bundle("unmade", why, texts(language))) for language in LANGUAGES})
    return one, {f"{BUNDLES}/{one.name}/{name}": content for name, content in (made | {ARCHIVE: archive}).items()}


def _wrong(found: Verification, say: Texts) -> Iterator[str]:
    for level in found.levels:
        if level.verdict == "no":
            yield f"{say(f'verification.title.{level.name}')}: {level.sentence(say)}"
            yield from (one(say) for one in level.differences[:_SHOWN])
            if len(level.differences) > _SHOWN:
                yield say("verification.more", count=str(len(level.differences) - _SHOWN))


def _no_bundle(kind: str, why: Sequence[str], say: Texts) -> Iterator[Cell]:
    """What an error says, which is in English."""
    yield say(f"site.{kind}")
    yield from (Foreign(text, "en") if say.language != "en" else text for text in why[:_SHOWN])


# --- the place of the site --------------------------------------------------------------------------------------------


def _check_place(out: Path, bundles: Sequence[Path]) -> None:
    """Refuse a place that holds anything but an earlier site, or that is in a bundle."""
    place, message = out.resolve(), ""
    if Path.cwd().is_relative_to(place):
        message = "this is the folder in which the command runs, or one above it"
    elif any(place.is_relative_to(bundle.resolve()) for bundle in bundles):
        message = "this is in the folder of a bundle, which would no longer be what its manifest says"
    elif out.is_dir():
        own = _own_files(out)
        names = (file.relative_to(out).as_posix() for file in out.rglob("*") if not file.is_dir())
        foreign = next((name for name in names if name not in own), "")
        message = f"the folder holds files that are not of a site, such as {foreign}" if foreign else ""
    elif out.exists():
        message = "a file stands where the folder of the site should come"
    if message:
        hint = "choose a new or empty folder with --out; nothing was changed"
        raise WriteError(Problem("SITE-002", message, hint, str(out)))


def _own_files(out: Path) -> set[str]:
    """Names of the files of the site in a folder, as it says itself; none where there is no site."""
    try:
        files = read_json(out / LIST)["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {LIST, _SUMS, *files} if isinstance(files, dict) else set()


def _write(place: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write files and give their digests."""
    for name, content in files.items():
        write(place / name, content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}

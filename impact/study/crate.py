"""How a bundle presents itself to machines: RO-Crate metadata and CITATION.cff, with fixed ids and no clock."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import rfc8785
from ruamel.yaml import YAML

from impact.evidence.addresses import place_of
from impact.evidence.record import Evidence

__all__ = ["INPUTS", "LEDGER", "LOCK", "citation", "crate", "lock8"]

LOCK, LEDGER = "study.lock", "study.log.jsonl"
INPUTS = "inputs/"
"""Folder of the inputs that may be shared, under the names that the study gives them."""
_CRATE, _CONFORMS = "ro-crate-metadata.json", "https://w3id.org/ro/crate/1.1"
_SHA256 = "https://schema.org/sha256"  # a term that the context of version 1.1 does not have yet
_NO_DATE = "1980-01-01"  # the date of the entries of bundle.zip: one study gives the same bytes on any day
_FORMATS = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".lock": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
}


def lock8(files: Mapping[str, bytes]) -> str:
    """First digits of the digest of the lock that goes with a bundle; "" where the study was not locked.

    Of the canonical JSON (RFC 8785) of all but the deposit, which refers to it.
    """
    try:
        said = {key: value for key, value in json.loads(files[LOCK]).items() if key != "deposit"}
        return hashlib.sha256(rfc8785.dumps(said)).hexdigest()[:8]
    except (KeyError, ValueError, AttributeError, RecursionError):
        return ""


def citation(first: Evidence) -> bytes:
    """CITATION.cff (version 1.2.0) of the results of the study whose headline outcome is `first`."""
    place = place_of(first)
    locked = "" if place.lock.startswith("unlocked-") else place.lock
    said = {
        "cff-version": "1.2.0",
        "message": "Cite a result in the words of its report: with its interval and status, never as a bare number.",
        "type": "dataset",
        "title": first.title["nl"],
        "abstract": first.question["nl"],
        "authors": [{"name": f"The makers of the study {first.study}"}],
        "version": f"{first.status}, {f'lock {locked}' if locked else f'specification {first.spec_sha256[:8]}'}",
        "identifiers": [
            {"type": "other", "value": str(place), "description": "study, lock and look; addresses begin with it"}
            if locked
            else {"type": "other", "value": f"sha256:{first.spec_sha256}", "description": "digest of the specification"}
        ],
        "keywords": ["impact evaluation", "replication", first.indicator],
    }
    text = io.BytesIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = False, 2**20
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(said, text)
    return text.getvalue()


def crate(first: Evidence, files: Mapping[str, bytes], versions: Mapping[str, str]) -> dict[str, Any]:
    """RO-Crate 1.1 metadata of a bundle that holds `files`, beside its manifest.

    References
    ----------
    RO-Crate Metadata Specification 1.1, https://w3id.org/ro/crate/1.1 (root data entity, file entities, provenance).
    """
    date = _date(files)
    undated = ". The date is that of every entry of bundle.zip, not one of publication." if date == _NO_DATE else ""
    about = {
        "@id": "./",
        "@type": "Dataset",
        "name": first.title["nl"],
        "description": f"{first.question['nl']} ({first.status}){undated}",
        "identifier": str(place_of(first)),
        "datePublished": date,
        "license": {"@id": "#terms"},
        "hasPart": [_to(name) for name in sorted([*files, "manifest.json"])],
        "mentions": {"@id": "#run"},
    }
    tool = {
        "@id": "#impact",
        "@type": "SoftwareApplication",
        "name": "impact",
        "version": versions.get("impact-nplv", "unknown"),
    }
    inputs = [
        {
            "@id": _input(data.role, data.file, files),
            "@type": "File" if INPUTS + data.file in files else "CreativeWork",
            "name": f"{data.role}: {PurePosixPath(data.file).name}",
            "description": data.source or "input of the study",
            "sha256": data.sha256,
        }
        for data in first.data
    ]
    shared = {entity["@id"]: entity for entity in inputs}
    own = [_file(name, files[name]) for name in sorted(files)]
    run = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"impact run {first.study}",
        "instrument": {"@id": "#impact"},
        "object": [{"@id": key} for key in sorted(shared)],
        "result": [_to(name) for name in sorted(files) if not name.startswith(INPUTS)],
    }
    terms = {
        "@id": "#terms",
        "@type": "CreativeWork",
        "name": "Terms of use",
        "description": "The study states none; inputs keep the terms of their sources.",
    }
    described = {"@id": _CRATE, "@type": "CreativeWork", "conformsTo": {"@id": _CONFORMS}, "about": {"@id": "./"}}
    manifest = {"@id": "manifest.json", "@type": "File", "name": "manifest.json", "encodingFormat": "application/json"}
    listed = {entity["@id"]: entity for entity in (*own, manifest)}
    merged = {key: {**shared.get(key, {}), **listed.get(key, {})} for key in sorted({*shared, *listed})}
    graph = [described, about, *merged.values(), run, terms, tool]
    return {"@context": [f"{_CONFORMS}/context", {"sha256": _SHA256}], "@graph": graph}


def _to(name: str) -> dict[str, str]:
    return {"@id": quote(name)}


def _input(role: str, file: str, files: Mapping[str, bytes]) -> str:
    """The id of an input: its place in the bundle, or a name where it is not in it."""
    return quote(INPUTS + file) if INPUTS + file in files else f"#input-{role}-{quote(file, safe='')}"


def _file(name: str, content: bytes) -> dict[str, Any]:
    """One file entity."""
    return {
        "@id": quote(name),
        "@type": "File",
        "name": name,
        "encodingFormat": _FORMATS.get(PurePosixPath(name).suffix, "application/octet-stream"),
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _date(files: Mapping[str, bytes]) -> str:
    """The day of the last line of the ledger; a fixed one where there is no ledger."""
    lines = files.get(LEDGER, b"").splitlines()
    try:
        said = json.loads(lines[-1])["at"][:10] if lines else _NO_DATE
    except (ValueError, KeyError, TypeError, RecursionError):
        return _NO_DATE
    return str(said)

"""The project as its documents describe it: rooms, direction of import, public names, files that travel."""

from __future__ import annotations

import ast
import builtins
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared import ROOT

PACKAGE = ROOT / "impact"
NAMES = ROOT / "tests" / "public_names.txt"
NO_TEXT = {".parquet", ".png", ".zip", ".gz", ".xlsx", ".docx"}
NOT_OURS = {"__pycache__", "build", "dist", "out", "wheels", "node_modules"}


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def project_files() -> Iterator[Path]:
    for folder, below, files in os.walk(ROOT):
        below[:] = [d for d in below if d not in NOT_OURS and (not d.startswith(".") or d == ".ci")]
        yield from (Path(folder) / name for name in files)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


# --- the inventory of ARCHITECTURE.md ---------------------------------------------------------------------------------


def inventory() -> list[str]:
    """Files of the package, relative to it, in the order of the inventory table."""
    table = text(ROOT / "ARCHITECTURE.md").split("## Inventory")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.M)


def test_the_inventory_is_the_code() -> None:
    there = {
        path.relative_to(PACKAGE).as_posix()
        for path in project_files()
        if PACKAGE in path.parents and path.name not in {"__init__.py", "py.typed"}
    }
    listed = inventory()
    assert sorted(set(listed)) == sorted(listed), "listed twice"
    assert sorted(there - set(listed)) == [], "in the code, missing in ARCHITECTURE.md"
    assert sorted(set(listed) - there) == [], "in ARCHITECTURE.md, missing in the code"


def rooms() -> list[str]:
    """Rooms in the order in which they may import: a room imports only rooms above it."""
    return list(dict.fromkeys(path.split("/")[0].removesuffix(".py") for path in inventory()))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of `impact` in a file, wherever it stands; the room is "" for the public face."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *filter(None, [node.module])])
            names = [f"impact.{alias.name}" for alias in node.names] if base == "impact" else [base]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "impact":
                yield node.lineno, parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("file", [p.relative_to(PACKAGE).as_posix() for p in modules() if p != PACKAGE / "__init__.py"])
def test_imports_point_one_way(file: str) -> None:
    order, path = rooms(), PACKAGE / file
    own, found = file.split("/")[0].removesuffix(".py"), list(imported(path))
    assert own in order or not found, f"{own} has no row in ARCHITECTURE.md"
    allowed = order[: order.index(own) + 1] if found else []
    wrong = [f"line {line}: {room or 'the public face'}" for line, room in found if room not in allowed]
    assert wrong == [], f"{own} may import only {', '.join(allowed)}"


def test_sources_know_nothing_of_the_programme() -> None:
    assert rooms().index("sources") < rooms().index("register")


# --- kernels ----------------------------------------------------------------------------------------------------------


def is_kernel(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef):
        return False
    marks = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    return any(isinstance(mark, ast.Name) and mark.id == "kernel" for mark in marks)


def foreign_calls(tree: ast.Module) -> Iterator[str]:
    """Calls inside a kernel of anything but kernels of this file, builtins, numpy, math and numba."""
    kernels = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and is_kernel(node)}
    source: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            source |= {alias.asname or alias.name: (node.module or ".") for alias in node.names}
        elif isinstance(node, ast.Import):
            source |= {(alias.asname or alias.name).split(".")[0]: alias.name for alias in node.names}
    fit = {name for name, module in source.items() if module.split(".")[0] in {"numpy", "math", "numba"}}
    for name, function in kernels.items():
        inside = (node for statement in function.body for node in ast.walk(statement))
        for call in (node for node in inside if isinstance(node, ast.Call)):
            called = call.func
            while isinstance(called, ast.Attribute):
                called = called.value
            if not isinstance(called, ast.Name):
                continue  # a method of an expression, such as (a + b).sum()
            own = called.id in kernels or called.id in dir(builtins)
            method = isinstance(call.func, ast.Attribute) and called.id not in source
            if not (own or method or called.id in fit):
                yield f"{name}, line {call.lineno}: {ast.unparse(call.func)}"


def test_a_kernel_calls_only_kernels_of_its_own_file() -> None:
    """A stale cache of an outer kernel would keep the old inner one of another file."""
    found = {path.relative_to(PACKAGE).as_posix(): list(foreign_calls(ast.parse(text(path)))) for path in modules()}
    assert {file: calls for file, calls in found.items() if calls} == {}


def test_a_foreign_call_is_seen() -> None:
    head = "import numpy as np\nfrom impact.numerics.other import inner\ndef plain(x): return x\n"
    body = "@kernel\ndef own(x): return x\n@kernel(parallel=True)\ndef outer(x):\n    return "
    calls = {"own(x)": 0, "np.sum(x.copy())": 0, "len(x)": 0, "inner(x)": 1, "plain(x)": 1}
    seen = {call: len(list(foreign_calls(ast.parse(head + body + call)))) for call in calls}
    assert seen == calls


# --- the public face --------------------------------------------------------------------------------------------------


def public_names() -> str:
    """Every public name with its signature, and the public methods of every public class."""
    import impact

    def signature(thing: object) -> str:
        try:
            return str(inspect.signature(thing))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return f": {type(thing).__name__}"

    lines = []
    for name in sorted(impact.__all__):
        thing = getattr(impact, name)
        lines.append(f"{name}{signature(thing)}")
        if inspect.isclass(thing):
            for member in sorted(vars(thing)):
                if not member.startswith("_") and callable(getattr(thing, member)):
                    lines.append(f"{name}.{member}{signature(getattr(thing, member))}")
    return "\n".join(lines) + "\n"


def test_public_names_change_only_with_a_line_in_the_changelog() -> None:
    assert public_names() == text(NAMES), (
        "a public name or signature changed: write a line in CHANGELOG.md, then `python -m tests.test_project`"
    )


def test_import_is_light() -> None:
    heavy = ["pandas", "scipy", "numba", "matplotlib", "statsmodels", "pyarrow"]
    code = f"import impact, sys; dir(impact); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_the_readme(tmp_path: Path) -> None:
    """Run as printed, on a table with parallel trends and an effect of exactly -2 in every treated wijk."""
    rows = ["wijk,jaar,misdrijven,start,gemeente"]
    for wijk in range(40):
        start = 2021 if wijk < 12 else None
        for year in range(2017, 2024):
            effect = -2 if start and year >= start else 0
            wiggle = ((wijk * 37 + year * 11) % 7 - 3) / 1000
            rows.append(f"w{wijk},{year},{10 + wijk + (year - 2017) ** 2 + effect + wiggle},{start or ''},g{wijk // 2}")
    (tmp_path / "wijken.csv").write_text("\n".join(rows), encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", text(ROOT / "README.md"), re.S)[0]
    check = "assert abs(result.tidy()['estimate'].iloc[0] + 2) < 0.01"
    done = subprocess.run(
        [sys.executable, "-c", f"{example}\n{check}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "-2.0" in done.stdout


# --- set-up and files that travel -------------------------------------------------------------------------------------


def test_the_readme_has_two_set_up_commands_and_ci_runs_the_second() -> None:
    blocks = re.findall(r"```sh\n(.*?)\n```", text(ROOT / "README.md"), re.S)
    assert blocks == [
        'python -m pip install -c constraints.txt ".[spatial]" && '
        "impact run studies/voortijdig-schoolverlaten/study.yaml --out out",
        "python -m pip install tox && tox",
    ]
    assert text(ROOT / ".ci" / "run").rstrip().endswith(blocks[1])


def test_the_project_names_one_version() -> None:
    version = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["version"]
    assert f"\nversion: {version}\n" in text(ROOT / "CITATION.cff")
    assert f'\nsoftwareVersion: "{version}"\n' in text(ROOT / "publiccode.yml")


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-pandas2.txt"])
def test_constraints_are_names_and_versions(name: str) -> None:
    lines = text(ROOT / name).splitlines()
    pin = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.+!]*( ; [A-Za-z0-9_ .='<>!()]+)?")
    assert [line for line in lines if not pin.fullmatch(line)] == []
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    if name == "constraints.txt":
        wanted += [need for extra in project["optional-dependencies"].values() for need in extra]
    pinned = {line.split("==")[0] for line in lines}
    plain = {re.match(r"[\w.-]+", need)[0].lower().replace(".", "-").replace("_", "-") for need in wanted}  # type: ignore[index]
    assert plain - pinned == set(), "run the commands in CONTRIBUTING.md again"


def test_file_names_work_everywhere() -> None:
    relative = [path.relative_to(ROOT).as_posix() for path in project_files()]
    assert [name for name in relative if re.search(r'[:*?"<>|\\]|[ .]$|[ .]/', name)] == []
    folded = [name.casefold() for name in relative]
    assert len(set(folded)) == len(folded)


def test_no_place_of_one_machine_in_any_file() -> None:
    folder = r"(?<![\w.)}/-])/(?:work|tmp|opt|root|home)/\w"
    place = re.compile(rf"{folder}|pypi[.]org|python[h]osted|--(?:extra-)?index-url|file[:]//")
    found = []
    for path in project_files():
        if path.suffix not in NO_TEXT:
            for number, line in enumerate(text(path).splitlines(), 1):
                if place.search(line):
                    found.append(f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()[:100]}")
    assert found == []


# --- the walls of the test run itself ---------------------------------------------------------------------------------


def run_pytest(folder: Path, test: str, required: str) -> str:
    (folder / "conftest.py").write_text(text(ROOT / "tests" / "conftest.py"), encoding="utf-8")
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "IMPACT_REQUIRE_SHARED": required},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[-1]


SKIPS = "import pytest\ndef test_skipped(): pytest.skip('no data')\n@pytest.mark.xfail\ndef test_known(): assert 0\n"


def test_a_skip_fails_where_the_reference_material_is_required(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, SKIPS, "0").startswith("1 skipped, 1 xfailed")
    assert run_pytest(tmp_path, SKIPS, "1").startswith("1 failed, 1 xfailed")


def test_a_skipped_module_fails_too(tmp_path: Path) -> None:
    assert "1 error" in run_pytest(tmp_path, "import pytest\npytest.importorskip('no_such_module')\n", "1")


def test_no_test_reaches_the_network() -> None:
    import socket

    with pytest.raises(AssertionError, match="internet socket"):
        socket.socket()
    with pytest.raises(AssertionError, match="address"):
        socket.getaddrinfo("localhost", 80)


if __name__ == "__main__":
    NAMES.write_text(public_names(), encoding="utf-8")

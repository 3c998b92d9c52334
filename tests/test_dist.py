"""The package as others get it: it builds, holds what it needs, and its metadata says what the repository says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import smoke
import yaml
from codes_tables import folder

import thce

ROOT = smoke.ROOT


@pytest.mark.unit
def test_the_citation_and_the_changes_name_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"] and citation["license"] == project["license"]
    assert citation["cff-version"] == "1.2.0" and citation["authors"] and citation["message"]
    assert f"## {project['version']}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.unit
def test_the_forms_for_reports_are_whole() -> None:
    forms = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"]
    assert forms
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"] and form["description"]
        fields = [part for part in form["body"] if part["type"] != "markdown"]
        assert len({part["id"] for part in fields}) == len(fields) > 0
        assert all(part["attributes"]["label"] for part in fields)


@pytest.mark.unit
def test_every_direct_dependency_is_pinned() -> None:
    pins = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = [re.split(r"[^\w.-]", line)[0] for line in (*project["dependencies"], *extras["dev"], *extras["docs"])]
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in names} <= pins


@pytest.mark.unit
def test_all_files_that_are_not_python_are_declared_for_the_wheel() -> None:
    package = Path(thce.__file__).parent
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    others = {path.relative_to(package).as_posix() for path in files}
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    declared = {
        path.relative_to(package).as_posix()
        for name, patterns in setuptools["package-data"].items()
        for pattern in patterns
        for path in (package / Path(*name.split(".")[1:])).glob(pattern)
    }
    assert others == declared


@pytest.mark.long
def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    """`make dist`'s files, installed without anything else: `thce codes check` needs the standard library alone."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copyfile(ROOT / name, source / name)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(source)]
    subprocess.run(build, check=True, capture_output=True, env=smoke.environment())
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"thce/cli.py", "thce/review/page.html"} <= names and any(name.endswith("licenses/NOTICE") for name in names)
    assert not [name for name in names if name.split("/")[0] not in ("thce",) and ".dist-info/" not in name]
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("/src/thce/cli.py") for name in archive.getnames())

    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, env=smoke.environment())
    command = [tmp_path / "empty" / "bin" / "thce", "codes", "check", "E11.9", "M54.5", "--tables", str(folder())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"PATH": ""})
    assert done.returncode == 1 and "valid_billable" in done.stdout and "valid_header" in done.stdout, done.stderr
    version = subprocess.run([command[0], "--version"], cwd=tmp_path, capture_output=True, text=True, env={"PATH": ""})
    assert version.stdout.startswith("thce 0.")


@pytest.mark.long
def test_the_site_builds_and_asks_no_other_host(tmp_path: Path) -> None:
    """`make docs`: strict, so a link or an anchor that leads nowhere fails; no script, style, font or image from elsewhere."""
    pytest.importorskip("mkdocs", reason="needs the docs extra: make docs installs it")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=smoke.environment(NO_MKDOCS_2_WARNING="1"))
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    source = r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//"
    link = r"<link\b[^>]*rel=[\"']?(?:stylesheet|preconnect|icon)[^>]*//"
    fetched = re.compile(f"{source}|{link}")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not fetched.search(text), page
        assert 'class="mermaid"' not in text, page  # the theme would fetch a script for it
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style

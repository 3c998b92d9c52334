"""README and docs do what they say: command blocks run and print what is shown, examples of formats are read, links lead on."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import documents
import pytest
import readme
import smoke
from codes_tables import book
from documents import KINDS, MARKS, PAGES, ROOT, Block, blocks

from thce import cli
from thce.narratives import quality_rows
from thce.reasoning.verify import verify

BLOCKS = {page: blocks(page) for page in PAGES}
EVERY = [block for found in BLOCKS.values() for block in found]
RUNNABLE = [block for block in EVERY if block.kind in KINDS and not set(block.needs) - {"trained"}]
TRAINED = (ROOT / "models" / "stage3" / "model.safetensors").is_file() and (ROOT / "models" / "coder").is_dir()


@pytest.fixture(scope="module")
def checkout(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with this one's parameters, lock and metrics, and with the data of a smoke run."""
    folder = smoke.again(smoke_run, tmp_path_factory.mktemp("docs") / "thce")
    for name in ("params.yaml", "dvc.lock"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / "metrics", folder / "metrics", dirs_exist_ok=True)
    smoke.git(folder, "commit", "-qam", "as committed")
    for name in ("codes", "narratives", "prepared", "pairs"):
        (folder / "data" / name).symlink_to(smoke_run / "data" / name)
    trained = ROOT if TRAINED else smoke_run
    (folder / "models").symlink_to(trained / "models")
    (folder / "data" / "predictions").symlink_to(trained / "data" / "predictions")
    return folder


@pytest.mark.pipeline
@pytest.mark.parametrize("page", sorted({ROOT / block.page for block in RUNNABLE}), ids=lambda page: page.name)
def test_commands_run_and_print_what_is_shown(page: Path, checkout: Path) -> None:
    smoke.git(checkout, "checkout", "-q", ".")
    environment = documents.surroundings(checkout)
    for block in BLOCKS[page]:
        if block not in RUNNABLE or ("trained" in block.needs and not TRAINED):
            continue
        for command, shown in block.steps:
            code, printed = documents.run(command, checkout, environment)
            place = f"{block.name}: {command}\n{printed}"
            assert code in ((0, 1) if shown else (0,)), place
            assert not shown or documents.fits(shown, printed), place


@pytest.mark.unit
@pytest.mark.parametrize("block", [block for block in EVERY if block.kind in KINDS], ids=lambda block: block.name)
def test_commands_and_options_exist(block: Block) -> None:
    """Also of the blocks that cannot run here: thce and dvc understand their options, and stages, parameters,
    targets of make, scripts with their options, and extras are there."""
    assert set(block.needs) <= set(MARKS), block.needs
    if block.kind == "python":
        compile(block.text, block.name, "exec")
        return
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in block.commands:
        if words[0] == "thce" and len(words) > 1:
            with_help = {"--help", "--version"} & set(words)
            assert with_help or cli.parse(words[1:]).run, words
        elif words[0] == "make":
            assert set(word for word in words[1:] if "=" not in word) <= targets, words
        elif words[0] == "dvc":
            assert not documents.unknown_to_dvc(words[1:]), words
        elif words[0] in ("python", "python3") and len(words) > 1 and words[1].startswith(("benchmarks/", "stages/", "tests/")):
            source = (ROOT / words[1]).read_text(encoding="utf-8")
            assert not [word for word in words if word.startswith("--") and f'"{word}"' not in source], words
        elif words[0] == "pip":
            project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            wanted = {extra for word in words for group in re.findall(r"^\.\[([\w,]+)\]", word) for extra in group.split(",")}
            assert wanted <= set(project["optional-dependencies"]), words
        elif words[0] == "pytest":
            assert all((ROOT / word.split("::")[0]).is_file() for word in words if word.startswith("tests/")), words


@pytest.mark.unit
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_stands_where_nothing_runs_it(page: Path) -> None:
    if page.name != "LOG.md":  # it names the commands of its day, which later trees need not have
        assert not documents.unfenced(page)
    assert all(block.kind for block in BLOCKS[page]), "a block without a kind"


@pytest.mark.unit
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            found = (page.parent / path) if path else page
            assert found.exists(), target
            if anchor and found.suffix == ".md":
                heads = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
                assert anchor in slugs, target


@pytest.mark.unit
def test_examples_of_formats_are_read() -> None:
    """What docs/spec.md shows is valid: shapes, codes, evidence; the chosen side holds in every part, the rejected does not."""
    seen = set()
    for block in EVERY:
        if block.kind != "json":
            continue
        row = json.loads(block.text)
        if not {"narrative", "messages", "prompt"} & set(row):
            continue
        faults: list[str] = []
        example = quality_rows.read(row, block.page, block.line, lambda rule, text, told=faults: told.append(f"{rule}: {text}"))
        assert example is not None and not faults, (block.name, faults)
        seen.add(example.format)
        for code_type, code in example.codes or ():
            assert book().find(code_type, code), block.name
        for item in example.evidence:
            assert example.narrative[item["start"] : item["end"]] == item["text"], block.name
        if example.rejected:
            assert example.completion and verify(example.narrative, example.completion, book()).faithful, block.name
            assert not verify(example.narrative, example.rejected, book()).faithful, block.name
    assert seen == {"narrative", "messages", "pairs"}


@pytest.mark.unit
def test_every_command_of_thce_stands_in_the_documentation() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    commands = [leaf.prog for leaf in cli.leaves(cli.parser(list(cli.COMMANDS.values())))]
    assert len(commands) > 25
    assert not [command for command in commands if not re.search(rf"{command}\b", text)]


@pytest.mark.unit
def test_the_table_of_results_is_that_of_the_metrics() -> None:
    """`python tests/readme.py --write` writes it."""
    assert readme.shown((ROOT / "README.md").read_text(encoding="utf-8")) == readme.table()


@pytest.mark.unit
def test_lines_can_be_read() -> None:
    """Prose and commands are wrapped; tables, output and JSON keep their lines."""
    for page in PAGES:
        fence = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            fence ^= line.lstrip().startswith("```")
            assert fence or line.startswith(("|", "    ")) or len(line) <= 150, f"{page.name}:{number}"


@pytest.mark.unit
def test_the_matcher_can_say_no() -> None:
    assert documents.fits(["a ... c", "...", "end"], "a b c\nx\ny\nend\n")
    assert documents.fits(["a", "..."], "a\n") and documents.fits(["..."], "")
    assert not documents.fits(["a ... c"], "a b d\n")
    assert not documents.fits(["a"], "a\nb\n") and not documents.fits(["a", "b"], "a\n")
    assert not documents.unknown_to_dvc(["exp", "run", "-S", "stage3.beta=0.3", "stage3"])
    for wrong in (["exp", "run", "-S", "stage3.alpha=1"], ["repro", "stage9"], ["repro", "--fast"], ["reproduce"]):
        assert documents.unknown_to_dvc(wrong), wrong


@pytest.mark.unit
def test_messages_that_are_explained_are_messages_of_the_program() -> None:
    """Those of other programs are named as such here."""
    foreign = ["Unable to acquire lock", "is busy, it is being", "Unable to read RWLock", "join() argument"]
    foreign += ["No matching distribution", "failed to reproduce", "unknown Git revision", "command not found"]
    foreign += ["Invalid host header", "unsupported URI", "git status", " D metrics", "packages warn"]
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py"), ROOT / "Makefile"]
    # text that Python joins, values that are filled in, and quotation marks that are escaped read as one
    text = re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in sources)).replace('\\"', '"')
    text = re.sub(r"\{(relock\.)?LOCK\}", "dvc.lock", text)
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8").partition("## What messages mean")[2]
    said = [one for row in re.findall(r"^\| (.*?) \|", page, re.MULTILINE) for one in re.findall(r"`([^`]+)`", row)]
    ours = [one.removeprefix("error: ") for one in said if " " in one and not any(word in one for word in foreign)]
    parts = [part.strip(": ") for one in ours for part in re.split(r"\.\.\.|\(No space.*", one) if len(part.strip(": ")) > 6]
    assert len(parts) > 25
    assert not [part for part in parts if part not in text], [part for part in parts if part not in text]


@pytest.mark.unit
def test_the_site_config_names_every_page() -> None:
    import yaml

    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    def pages(nav: object) -> list[str]:
        if isinstance(nav, str):
            return [nav]
        items = nav.values() if isinstance(nav, dict) else nav
        assert not isinstance(items, str) and hasattr(items, "__iter__")
        return [page for item in items for page in pages(item)]

    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(pages(config["nav"])) == there
    assert config["theme"]["font"] is False and config["strict"] is True
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert not re.search(r"https?://", text)  # nothing is fetched from another host

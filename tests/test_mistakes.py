"""What a user can do wrong, and the one line that says so: where it is, what is wrong, what to do.

One table; `@` stands for a folder with the files below, `%` for the code tables. Every mistake leaves with exit code 2, one
line on standard error, nothing on standard output, and no file but perhaps the beginning of one, `NAME.part`.
"""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from codes_tables import folder

from thce.cli import main

pytestmark = pytest.mark.unit

ROW = '{"id": "1", "narrative": "Acute cough.", "codes": [{"code_type": "ICD10", "code": "%s"}], "template": "t", '
ROW += '"kind": "note", "source": "s", "none_reason": null, "group": null, "evidence": []}\n'
COLLECT = "seed: 1\nval: 0.1\ntest: 0.1\nsources:\n  - {source: %s, name: a, %s: none.jsonl}\nsets:\n"
COLLECT += "  one: {split: train, count: 1, mix: {a: 1.0}}\n"

FILES: dict[str, str | bytes] = {
    "good.jsonl": ROW % "R05.9",
    "unknown.jsonl": ROW % "A99.99",
    "retired.jsonl": ROW % "M54.5",
    "bad.jsonl": (ROW % "R05.9") + '{"id": "2", \n',
    "list.jsonl": "[1]\n",
    "empty.jsonl": "",
    "latin.jsonl": '{"id": "1", "narrative": "café", "codes": []}\n'.encode("latin-1"),
    "binary.jsonl": bytes(range(256)),
    "deep.jsonl": "[" * 100_000 + "\n",
    "number.jsonl": '{"id": "1", "narrative": 7, "codes": []}\n',
    "nogold.jsonl": '{"id": "1", "narrative": "x"}\n',
    "twice.jsonl": (ROW % "R05.9") * 2,
    "answers.jsonl": '{"id": "1", "codes": []}\n',
    "answers_twice.jsonl": '{"id": "1", "codes": []}\n' * 2,
    "claim.jsonl": '{"codes": 3}\n',
    "claim_age.jsonl": '{"codes": [{"code_type": "ICD10", "code": "I10"}], "age": "old"}\n',
    "claim_date.jsonl": '{"codes": [{"code_type": "ICD10", "code": "I10"}], "date": "soon"}\n',
    "claim_type.jsonl": '{"codes": [{"code_type": "ICD9", "code": "401"}]}\n',
    "claim_setting.jsonl": '{"codes": [{"code_type": "ICD10", "code": "I10"}], "setting": "moon"}\n',
    "latin.txt": "café\n".encode("latin-1"),
    "order.txt": "not an order file\n",
    "broken.zip": b"PK\x03\x04broken",
    "notes.docx": "x",
    "notes.parquet": "x",
    "nocolumn.csv": "a,b\n1,2\n",
    "bad.json": "{",
    "number.json": '{"a": 1}',
    "bad.yaml": "a: [1\n",
    "text.yaml": "hello\n",
    "tab.yaml": "a:\n\t- b\n",
    "kind.yaml": COLLECT % ("rwos", "path"),
    "key.yaml": COLLECT % ("rows", "paht"),
    "source.yaml": COLLECT % ("rows", "path"),
    "folder/inside.txt": "",
}
GENERATE = "data generate --stage 1 --count 1 --model m --base-url http://localhost:1/v1 --output @o.jsonl --tables %"

# command, what the line says; all exit code 2
MISTAKES = """
cod x                                          | thce: `cod` is no command; did you mean `thce code`?
--jsno                                         | thce: does not know `--jsno`; an option stands behind its command
params                                         | thce params: the following arguments are required: ACTION
train stage1                                   | thce train: only plans; add --dry-run, or train: thce profile use default
train stage9 --dry-run                         | argument stage: invalid choice: 'stage9'
train stage1 --dry-run --threads 0             | --threads: must be at least 1, not 0
train stage1 --dry-run --profile @none.yaml    | none.yaml
export @none --output @o                       | none
doctor --fix                                   | thce doctor: does not know `--fix`
completion fish                                | invalid choice: 'fish'
code                                           | thce code: give one narrative or --input; for example: thce code "acute br
code x --input @good.jsonl                     | thce code: give one narrative or --input
code "  "                                      | narrative: is empty
code x --model @folder                         | folder: nothing is trained here yet; run `make repro`
code x --date 2025-13-01                       | date: `2025-13-01` is not a day; write it as 2025-11-03
code x --type ICD9                             | argument --type: invalid choice: 'ICD9'
code x --workers 0                             | argument --workers: must be at least 1
code x --workers two                           | argument --workers: must be a whole number, not `two`
code x --resume                                | --resume: needs --output
code --input @none.jsonl --output @o.jsonl     | none.jsonl: no such file
code --input @notes.docx                       | notes.docx: unknown kind of file; use .jsonl, .csv, .parquet, .txt
code --input @notes.parquet                    | notes.parquet: not a parquet file
code --input @nocolumn.csv                     | nocolumn.csv:1: no column `narrative`; name the columns in the first line
codes check --tables %                         | thce codes check: no codes given
codes check --file @none.txt --tables %        | none.txt: no such file
codes check --file @latin.txt --tables %       | latin.txt: is not UTF-8 (byte 3); save it as UTF-8
codes check --file @folder --tables %          | folder: is a folder, not a file
codes check I10 --file @good.jsonl --tables %  | codes and --file at once
codes check I10 --date soon                    | --date: `soon` is not a day; write YYYY-MM-DD
codes check I10 --tables @folder               | folder: no code tables; run `dvc repro codes` to build them
codes check I10 --jsno                         | thce codes check: does not know `--jsno`; did you mean `--json`?
codes explain                                  | the following arguments are required: CODE
codes search x --chapter 99 --tables %         | --chapter: ICD-10-CM has no chapter `99`; use 1 to 22
codes search x --limit 0                       | argument --limit: must be at least 1
codes edits --tables %                         | thce codes edits: no codes given
codes edits I10 --tables % --age -5            | age -5: is not an age in years; give 0 to 124
codes edits I10 --tables % --age young         | argument --age: must be a whole number, not `young`
codes edits I10 --tables % --date soon         | --date: `soon` is not a day
codes edits ? --tables %                       | ?: has not the form of a code; write ICD10:E11.9
codes edits E1122 --tables %                   | E1122: may be a code of ICD10 or HCPCS; write ICD10:E1122
codes edits --tables % --file @claim.jsonl     | claim.jsonl:1: is not a claim; write {"codes":
codes edits --tables % --file @claim_age.jsonl | claim_age.jsonl:1: `age` is `old`, not a whole number
codes edits --tables % --file @claim_date.jsonl | claim_date.jsonl:1: date: `soon` is not a day
codes edits --tables % --file @claim_type.jsonl | claim_type.jsonl:1: `ICD9` is not a code type; use one of ICD10, CPT, HCPCS
codes edits --tables % --file @claim_setting.jsonl | claim_setting.jsonl:1: `moon` is not a setting
codes edits --tables % --file @deep.jsonl      | deep.jsonl:1: [[[
codes edits --tables % --file @latin.txt       | latin.txt: is not UTF-8
codes import                                   | thce codes import: no file given
codes import --icd10cm-order @none.txt --to @l | none.txt: cannot be read (No such file or directory)
codes import --icd10cm-order @order.txt --to @l | order.txt: its name does not tell the release; add --release
codes import --icd10cm-order @order.txt --to @l --release FY2027 | order.txt
codes import --icd10cm-order @broken.zip --to @l | broken.zip: is not a sound zip file
codes import --cpt-longult @order.txt --to @l  | CPT: needs a license from the AMA; add --i-have-an-ama-license if you hold one
codes diff % @none.zip                         | none.zip: no such file or folder
codes diff % @order.txt                        | order.txt:1: is not a line of an ICD-10-CM codes file
codes diff % % --limit 0                       | argument --limit: must be at least 1
data collect --config @none.yaml --output-dir @out | none.yaml: no such file
data collect --config @bad.yaml --output-dir @out  | bad.yaml:2: not valid YAML
data collect --config @tab.yaml --output-dir @out  | tab.yaml:2: not valid YAML
data collect --config @text.yaml --output-dir @out | text.yaml: holds no keys
data collect --config @kind.yaml --output-dir @out | kind.yaml: sources[0]: source: `rwos` is no kind of source; use rows
data collect --config @key.yaml --output-dir @out  | key.yaml: sources[0]: paht: unknown key; did you mean `path`?
data collect --config @source.yaml --output-dir @out --tables % | none.jsonl: no such file
data convert --from codiesp --input @none --output @o.jsonl --tables % | none: is no folder; unpack the corpus
data convert --from codiesp --input @folder --output @o.jsonl --tables % | folder: is no CodiEsp layout; name the folder
data convert --from aci-bench --input @folder --output @o.jsonl --tables % | folder: holds no notes of ACI-Bench; it needs a CSV
data preprocess @none.jsonl --output @o.jsonl  | none.jsonl: no such file
data preprocess @bad.jsonl --output @o.jsonl   | bad.jsonl:2: not valid JSON (Expecting property name
data preprocess @list.jsonl --output @o.jsonl  | list.jsonl:1: is a list, not an object
data preprocess @latin.jsonl --output @o.jsonl | latin.jsonl:1: is not UTF-8; save the file as UTF-8
data preprocess @number.jsonl --output @o.jsonl | number.jsonl:1: has no `narrative`
data preprocess @good.jsonl --output @order.txt/o.jsonl | order.txt/o.jsonl: cannot be written
data preprocess @good.jsonl --output @folder   | folder: cannot be written (Is a directory)
GENERATE --stage 4                             | argument --stage: invalid choice
GENERATE --count 0                             | argument --count: must be at least 1
GENERATE --base-url nonsense --dry-run         | --base-url: `nonsense` is no address; write e.g. http://localhost:8000/v1
GENERATE --date soon                           | --date: `soon` is not a day
GENERATE --timeout long                        | argument --timeout: must be a number, not `long`
GENERATE --price-in -1 --dry-run               | argument --price-in: must not be negative
GENERATE --held-out @none.jsonl                | none.jsonl: no such file
data check                                     | the following arguments are required: FILE
data check @none.jsonl --tables %              | none.jsonl: no such file
data check @folder --tables %                  | folder: cannot be read (Is a directory)
data check @good.jsonl --near 2                | argument --near: must be above 0 and at most 1
data check @good.jsonl --tables % --against @none.jsonl | none.jsonl: no such file
evaluate --test-data @good.jsonl               | thce evaluate: needs one model; give --model FOLDER, or --base-url URL
evaluate --model @folder --tables %            | thce evaluate: needs one source of rows; give --test-data FILE, or --task NAME
evaluate --base-url nonsense --model-name m --tables % --test-data @good.jsonl | --base-url: `nonsense` is no address
evaluate --base-url https://a.example/v1 --model-name m --tables % --test-data @good.jsonl | would send every narrative to a
data convert --from mimic --input @folder --output @o.jsonl | argument --from: invalid choice: 'mimic'
evaluate --base-url http://example.org/v1 --model-name m --test-data @good.jsonl --tables % | add --send-narratives if you may
evaluate --model @folder --tables % --test-data @good.jsonl | folder: no trained model here; run `make repro`
evaluate --model @folder --tables % --test-data @good.jsonl --rows -1 | argument --rows: must be at least 0
metrics --predictions @none.jsonl --ground-truth @good.jsonl | none.jsonl: no such file
metrics --predictions @answers.jsonl --ground-truth @none.jsonl | none.jsonl: no such file
metrics --predictions @answers.jsonl --ground-truth @twice.jsonl | twice.jsonl:2: id `1` stands twice
metrics --predictions @answers.jsonl --ground-truth @empty.jsonl | empty.jsonl: holds no rows
metrics --predictions @answers.jsonl --ground-truth @nogold.jsonl | nogold.jsonl:1: is no test row; it needs `messages`
metrics --predictions @answers.jsonl --ground-truth @good.jsonl @good.jsonl | share ids; score them one by one
metrics --predictions @answers_twice.jsonl --ground-truth @good.jsonl | answers_twice.jsonl:2: `1` is answered twice
metrics --predictions @bad.jsonl --ground-truth @good.jsonl | bad.jsonl:2: not valid JSON
metrics --predictions @latin.jsonl --ground-truth @good.jsonl | latin.jsonl:1: is not UTF-8; save the file as UTF-8
metrics --predictions @binary.jsonl --ground-truth @good.jsonl | binary.jsonl:1: not valid JSON
metrics --predictions @deep.jsonl --ground-truth @good.jsonl | deep.jsonl:1: not valid JSON (nested too deeply)
metrics --predictions @answers.jsonl --ground-truth @good.jsonl --system x | answers.jsonl: holds no such predictions
metrics --predictions @answers.jsonl --ground-truth @good.jsonl --format xml | argument --format: invalid choice: 'xml'
metrics --predictions @answers.jsonl --ground-truth @good.jsonl --resamples 0 | argument --resamples: must be at least 1
metrics --predictions @answers.jsonl --ground-truth @good.jsonl --tables % --output @order.txt/x | cannot be written
baseline --name svn                            | argument --name: invalid choice: 'svn'
baseline --name svm --prepared @folder         | train.jsonl: no such file; check the path, or run `dvc repro` to make it
baseline --name svm --params @none.yaml        | none.yaml: no such file
baseline --name svm --params @wrong_key.yaml   | wrong_key.yaml: baselines: neighbor: unknown key; did you mean `neighbour`?
analyze --predictions @none.jsonl              | none.jsonl: no such file
compare @number.json                           | thce compare: needs two result files or more
compare @number.json @number.json              | number.json: is no result file; write one with `thce evaluate`
compare @bad.json @number.json                 | bad.json:1:2: not valid JSON
show x --predictions @none.jsonl               | none.jsonl: no answers here yet; `dvc repro` makes them
show x --predictions @answers.jsonl --ground-truth @good.jsonl | `x`: no test case has this id; one is `1`
review --host 0.0.0.0                          | --host: `0.0.0.0` is not this machine
review --port many                             | argument --port: must be a whole number, not `many`
review --port 0 --model @folder                | folder: nothing is trained here yet
params check @none.yaml                        | none.yaml: no such file
params check @tab.yaml                         | tab.yaml:2: not valid YAML
params explain stage1.rate                     | stage1.rate: no such key; `stage1` has
params explain stge1                           | stge1: no such key; did you mean `stage1`?
profile use nothing                            | configs/nothing.yaml: no such profile; there are: default, smoke, smollm2-135m
profile use ../params                          | no such profile
relock nothing                                 | nothing: no such stage; there are: codes, narratives
experiments --metric (                         | --metric: is no regular expression
"""

# command, what is said; all exit code 1: the command did its work and found something invalid
FINDINGS = """
codes check A99.99 --type ICD10 --tables %     | A99.99  ICD10  unknown
codes check M54.5 --tables %                   | M54.5  ICD10  valid_header
codes check 99999 --type CPT --tables %        | unlicensed_unknown
codes check D0120 --tables %                   | excluded_cdt
codes check I10 --date 2010-01-01 --tables %   | not_yet_effective
codes check "" --tables %                      | bad_format
codes explain A99.99 --type ICD10 --tables %   | A99.99  ICD10  unknown
data check @bad.jsonl --tables %               | bad.jsonl:2
data check @latin.jsonl --tables %             | is not UTF-8
data check @unknown.jsonl --tables %           | A99.99
data check @retired.jsonl --tables %           | M54.5
params check @wrong_key.yaml                   | wrong_key.yaml: baselines: neighbor: unknown key; did you mean `neighbour`?
params check @wrong_type.yaml                  | wrong_type.yaml: stage1.epochs: must be a number, not `many`
"""


def rows(table: str) -> list[tuple[str, str]]:
    """Command and expectation of each line."""
    pairs = (line.rsplit(" | ", 1) for line in table.strip().splitlines())
    return [(command.strip().replace("GENERATE", GENERATE), said.strip()) for command, said in pairs]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The folder with the files; nothing may be added to it."""
    path = tmp_path_factory.mktemp("mistakes")
    for name, content in FILES.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    params = (root / "params.yaml").read_text(encoding="utf-8")
    assert "  neighbour:" in params and "  epochs: " in params
    (path / "wrong_key.yaml").write_text(params.replace("  neighbour:", "  neighbor:"), encoding="utf-8")
    before, _, after = params.partition("\nstage1:")
    after = after.replace(after[after.index("  epochs: ") :].split("\n")[0], "  epochs: many", 1)
    (path / "wrong_type.yaml").write_text(f"{before}\nstage1:{after}", encoding="utf-8")
    return path


@pytest.fixture
def nothing_written(place: Path, root: Path) -> Iterator[None]:
    """Neither the folder nor params.yaml changes."""

    def state() -> dict[str, bytes]:
        files = {path.as_posix(): path.read_bytes() for path in sorted(place.rglob("*.*")) if path.is_file()}
        files = {name: content for name, content in files.items() if not name.endswith(".part")}
        return files | {"params": (root / "params.yaml").read_bytes()}

    before = state()
    yield
    assert state() == before


def call(command: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run one line of a table, with nothing on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    return main([word.replace("@", f"{place}/").replace("%", str(folder())) for word in shlex.split(command)])


@pytest.mark.parametrize(("command", "said"), rows(MISTAKES))
@pytest.mark.usefixtures("nothing_written")
def test_a_mistake_is_one_line(
    command: str, said: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(command, place, monkeypatch) == 2
    out, error = capsys.readouterr()
    assert error.startswith("error: ") and error.count("\n") == 1 and said in error
    assert len(error.replace(str(place), "")) < 300 and not out
    for word in ("Traceback", "Errno", "NoneType", "object is not", "_positive"):
        assert word not in error


@pytest.mark.parametrize(("command", "said"), rows(FINDINGS))
@pytest.mark.usefixtures("nothing_written")
def test_what_is_found_in_a_file_or_a_code_is_exit_code_1(
    command: str, said: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(command, place, monkeypatch) == 1
    out, error = capsys.readouterr()
    assert said in out + error and "Traceback" not in error


def test_standard_input_in_another_encoding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("codes check -", "codes edits -"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("café\n".encode("latin-1")), encoding="utf-8"))
        assert main([*command.split(), "--tables", str(folder())]) == 2
        error = capsys.readouterr().err
        assert "standard input: is not UTF-8" in error and error.count("\n") == 1


def test_an_argument_in_another_encoding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["codes", "check", "caf\udce9", "--tables", str(folder())]) == 1
    assert main(["codes", "search", "caf\udce9", "--tables", str(folder()), "--phrasebook", "none"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_in_a_missing_folder_is_written_and_the_folder_made(
    tmp_path: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "folder" / "out.jsonl"
    assert main(["data", "preprocess", str(place / "good.jsonl"), "--output", str(target), "--tables", str(folder())]) == 0
    assert target.read_text(encoding="utf-8").count("\n") == 1


def test_a_full_or_closed_output_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("thce.cli_params._explain", full)
    assert main(["params", "explain", "seed"]) == 2
    assert capsys.readouterr().err == "error: somewhere: No space left on device\n"


def test_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("doctor", "relock", "params check", "report", "show x", "codes check I10", "code x", "profile use smoke"):
        assert main(command.split()) == 2, command
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1, command
    assert main([]) == 0 and not list(tmp_path.iterdir())


def test_the_table_knows_every_command() -> None:
    from thce import cli

    top = cli.parser(list(cli.COMMANDS.values()))
    tried = {command for command, _ in rows(MISTAKES)}
    for leaf in cli.leaves(top):
        name = leaf.prog.removeprefix("thce ")
        if name not in ("report", "params check", "experiments"):
            assert any(command.startswith(name) for command in tried), name

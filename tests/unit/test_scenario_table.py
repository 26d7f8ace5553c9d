"""Tables of real patients: what is read, and which column and line are named when one cannot be used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from trialsim.errors import ScenarioError
from trialsim.scenario.table import read_table

GOOD = "id,age,sex,score\n1,50,m,1e1\n2,61.5,f,-2\n\n3,40,m,.5\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "patients.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_numbers_are_numbers_and_texts_are_sorted_levels(tmp_path: Path) -> None:
    table = read_table(
        write(tmp_path, GOOD), {"age": "age", "gender": "sex", "score": "score"}, "patients.csv"
    )
    assert list(table.columns["age"].values) == [50.0, 61.5, 40.0]
    assert table.columns["age"].levels == ()
    assert table.columns["gender"].levels == ("f", "m")
    assert list(table.columns["gender"].values) == [1.0, 0.0, 1.0]
    assert list(table.columns["score"].values) == [10.0, -2.0, 0.5]
    assert table.digest == hashlib.sha256(GOOD.encode()).hexdigest()


def test_quotes_a_byte_order_mark_and_other_line_ends_are_read(tmp_path: Path) -> None:
    text = '\ufeff"age","arm"\r\n"50","a, b"\r\n61,"c ""d"""\r\n'
    table = read_table(write(tmp_path, text), {"age": "age", "arm": "arm"}, "patients.csv")
    assert list(table.columns["age"].values) == [50.0, 61.0]
    assert table.columns["arm"].levels == ("a, b", 'c "d"')


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("", "population.resample", "is empty"),
        ("\n\n", "population.resample", "is empty"),
        ("age,sex\n", "population.resample", "holds 0 patients; at least 2 are needed"),
        ("age,sex\n1,m\n", "population.resample", "holds 1 patients"),
        ("Age,sex\n1,m\n2,f\n", "population.columns.age", "the column 'age' is unknown; allowed: Age, sex"),
        ("age,age\n1,2\n2,3\n", "population.columns.age", "occurs twice"),
        (
            "age,sex\n1,m\n2\n",
            "population.resample",
            "line 3 of 'patients.csv' has 1 cells; the header has 2",
        ),
        ("age,sex\n1,m\n,f\n", "population.columns.age", "column 'age' has no value in line 3"),
        ("age,sex\n1,m\nNA,f\n", "population.columns.age", "column 'age' has no value in line 3"),
        ("age,sex\n1,m\nnan,f\n", "population.columns.age", "column 'age' has no value in line 3"),
        ("age,sex\n1,m\ninf,f\n", "population.columns.age", "column 'age' is not finite in line 3: 'inf'"),
        (
            "age,sex\n1,m\n2,f\nold,f\n",
            "population.columns.age",
            "mixes numbers and texts (line 2: '1'; line 4: 'old')",
        ),
        ("age,sex\n1_0,m\n2,f\n", "population.columns.age", "mixes numbers and texts"),
        ('age,sex\n1,"m\n2,f\n', "population.resample", "cannot be read as CSV"),
        ("age,sex\n1,m\n2,\x00\n", "population.resample", "not a text file"),
        (b"age,sex\n1,m\n2,\xff\n", "population.resample", "not UTF-8 text (line 3)"),
        (
            "age\n" + "\n".join(f"t{n}" for n in range(60)),
            "population.columns.age",
            "holds more than 50 different texts (t0, t1, t2 and 48 more)",
        ),
    ],
)
def test_a_table_is_refused_with_column_and_line(
    tmp_path: Path, text: str | bytes, path: str, words: str
) -> None:
    with pytest.raises(ScenarioError) as refusal:
        read_table(write(tmp_path, text), {"age": "age"}, "patients.csv")
    (problem,) = refusal.value.problems
    assert problem.path == path
    assert words in problem.message


def test_every_bad_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as refusal:
        read_table(write(tmp_path, "a,b\n1,\n,2\n"), {"x": "a", "y": "b"}, "patients.csv")
    assert [problem.path for problem in refusal.value.problems] == [
        "population.columns.x",
        "population.columns.y",
    ]


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    for path, words in {
        tmp_path: "is a folder or a device",
        tmp_path / "none.csv": "there is no file",
    }.items():
        with pytest.raises(ScenarioError) as refusal:
            read_table(path, {"age": "age"}, "patients.csv")
        assert words in str(refusal.value)


def test_distinct_values_are_counted_up_to_a_limit(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{n},{n % 3}\n" for n in range(100))
    columns = read_table(write(tmp_path, text), {"a": "a", "b": "b"}, "patients.csv").columns
    assert columns["a"].distinct() == 51
    assert columns["b"].distinct() == 3

"""Values: what makes a class one, and who keeps it from being changed."""

import dataclasses
import re

import pytest

from chalicelib.model.frozen import frozen

USE = """
import dataclasses
from tests.model.test_frozen import Point

point = Point(x=1)
dataclasses.replace(point, x=2)
point.x = 2
dataclasses.replace(point, x="1")
Point(1)
"""


@frozen
class Point:
    """A value."""

    x: int
    y: int = 0


@frozen
class Named(Point):
    """A value with one field more."""

    name: str


def test_values_are_given_by_name_and_compared_and_hashed_by_all_their_fields():
    assert Point(x=1) == Point(x=1, y=0) != Point(x=1, y=1)
    assert len({Point(x=1), Point(x=1, y=0), Point(x=1, y=1)}) == 2
    assert Named(x=1, name="a") != Point(x=1)
    assert dataclasses.replace(Point(x=1), y=2) == Point(x=1, y=2)
    with pytest.raises(TypeError):
        Point(1)


def test_the_type_checker_keeps_them_from_being_changed(tmp_path):
    """Nothing does so at run time."""
    checker = pytest.importorskip("mypy.api")
    use = tmp_path / "use.py"
    use.write_text(USE)
    told, _, _ = checker.run(["--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent", str(use)])
    assert re.findall(r"use.py:(\d+): error: (.*?)  ", told) == [
        ("7", 'Property "x" defined in "Point" is read-only'),
        ("8", 'Argument "x" to "replace" of "Point" has incompatible type "str"; expected "int"'),
        ("9", 'Too many positional arguments for "Point"'),
    ]

"""Sentences of the architecture that import contracts cannot say."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]
LOCAL = list((ROOT / "infra").rglob("*.py"))


def names(path: Path) -> set[str]:
    """Every dotted name and import of a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return found


def users(sources: list[Path], *wanted: str) -> set[str]:
    """The modules that use one of the names, or something inside it."""
    return {
        str(path.relative_to(ROOT))
        for path in sources
        if any(name == want or name.startswith(f"{want}.") for name in names(path) for want in wanted)
    }


def test_only_settings_reads_the_environment():
    assert users(SOURCES, "os.environ", "os.getenv") == {"chalicelib/settings.py"}
    assert users(LOCAL, "os.environ", "os.getenv") == {"infra/local/config.py"}


def test_only_the_clock_knows_the_time_and_makes_random_things():
    assert users(SOURCES, "time", "random", "secrets", "uuid", "datetime.datetime.now", "datetime.now") == {
        "chalicelib/clock.py"
    }


def test_only_bootstrap_storage_and_the_channels_of_other_services_know_the_aws_client():
    assert users(SOURCES, "boto3", "botocore") == {
        "chalicelib/bootstrap.py",
        "chalicelib/storage/errors.py",
        *(f"chalicelib/push/{channel}.py" for channel in ("mail", "mobile", "sms")),
    }


def test_only_the_app_and_its_doors_know_chalice():
    assert users(SOURCES, "chalice") == {"app.py", "chalicelib/api/routes.py", "chalicelib/api/workers.py"}


def test_only_wire_knows_xml():
    assert users(SOURCES, "xml.parsers", "xml.etree", "xml.dom", "xml.sax", "pyexpat") == {"chalicelib/wire/xml.py"}


@pytest.mark.parametrize("room", ["model"])
def test_the_model_is_made_of_the_standard_library(room):
    allowed = {
        *("base64", "binascii", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib"),
        *("ipaddress", "json", "operator", "re", "struct", "typing"),
    }
    for path in (ROOT / "chalicelib" / room).glob("*.py"):
        imported = {
            node.module.partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert imported <= allowed | {"chalicelib"}, path


def test_the_top_level_is_what_it_should_be():
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert {"app.py", "chalicelib", "infra", "tests", "requirements.txt"} <= tracked

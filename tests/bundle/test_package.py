"""The package: small, complete, the same each time, and compiled."""

import subprocess
import zipfile

import pytest

from infra.bench import lambdas


def run(sandbox: lambdas.Sandbox, code: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sandbox.python, "-c", code]
    return subprocess.run(  # noqa: S603  # our own interpreter
        command, cwd=sandbox.task_root, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def names(package) -> list[str]:
    with zipfile.ZipFile(package) as read:
        return read.namelist()


def test_it_holds_what_runs_and_nothing_else(package):
    tops = {name.partition("/")[0] for name in names(package)}
    libraries = {"aws_lambda_powertools", "jmespath", "typing_extensions.py", "chalice"}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        *("app.py", "chalicelib", "__pycache__"),
        *libraries,
    }
    assert not [name for name in names(package) if "test" in name.partition("/")[2].split("/")[0]]


def test_the_same_source_makes_the_same_package(packages):
    assert len({package.code.read_bytes() for package in packages.values()}) == 1


def test_every_module_that_a_start_needs_is_compiled_and_taken_as_it_is(package, sandbox):
    compiled = {name for name in names(package) if name.endswith(".pyc")}
    sources = {name for name in names(package) if name.startswith(("chalicelib/", "chalice/")) and name.endswith(".py")}
    assert len(compiled) == len(sources) + 1  # app.py
    code = """
import app, sys
from chalicelib.api import direct
loaded = {name: module.__spec__ for name, module in sys.modules.items() if name.startswith(("chalicelib", "chalice"))}
assert all(spec.cached and spec.loader.path_stats for spec in loaded.values())
import importlib._bootstrap_external as external
for spec in loaded.values():
    with open(spec.cached, "rb") as file:
        assert external._classify_pyc(file.read(16), spec.name, {}) == 1, spec  # by hash, unchecked
print(len(loaded))
"""
    outcome = run(sandbox, code)
    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.parametrize("module", ["chalice", "aws_lambda_powertools", "moto", "pytest", "infra"])
def test_nothing_but_the_runtimes_own_packages_is_there_without_the_package(sandbox, tmp_path, module):
    outcome = run(lambdas.Sandbox(task_root=tmp_path, python=sandbox.python), f"import boto3, awslambdaric, {module}")
    assert f"No module named '{module}'" in outcome.stderr


@pytest.mark.parametrize("module", ["aws_lambda_powertools", "boto3", "s3transfer", "cryptography", "moto"])
def test_a_start_does_not_import_what_it_does_not_need(sandbox, module):
    code = f"import sys, app, chalicelib.api.direct; from chalicelib import bootstrap; print({module!r} in sys.modules)"
    assert run(sandbox, code).stdout == "False\n"


def test_every_module_of_the_package_can_be_imported(sandbox):
    code = """
import importlib, pkgutil, chalicelib
for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
    importlib.import_module(module.name)
from chalicelib import telemetry
telemetry.logger.error("said")
"""
    outcome = run(sandbox, code)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert '"message":"said"' in outcome.stdout

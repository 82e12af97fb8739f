"""From the source tree to what CloudFormation takes: `build/<stage>/template.json` and `build/<stage>/deployment.zip`.

It needs no account, only the name of a region; the same source makes the same files.
"""

import contextlib
import hashlib
import io
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.aws import bundle, functions, template

ROOT = Path(__file__).parents[2]
_CONFIG = ROOT / ".chalice" / "config.json"
LARGEST = 2_000_000  # bytes of the bundle; every cold start reads all of it


@dataclass(frozen=True, kw_only=True)
class Package:
    """What a deployment consists of."""

    stage: str
    door: template.Door
    template: dict[str, Any]
    code: Path
    code_hash: str

    @property
    def template_text(self) -> str:
        """The template as CloudFormation reads it."""
        return json.dumps(self.template, indent=1) + "\n"


def stages() -> list[str]:
    """The stages that can be deployed."""
    return sorted(set(json.loads(_CONFIG.read_text())["stages"]) - {"local"})


def policies() -> dict[str, dict[str, Any]]:
    """The functions' policies, by the functions' names."""
    found = {function.name: ROOT / ".chalice" / f"policy-{function.name}.json" for function in functions.FUNCTIONS}
    return {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}


def make(stage: str, door: template.Door, *, region: str, into: Path) -> Package:
    """Package a stage.

    Args:
        stage: of `.chalice/config.json`.
        door: what stands in front of the API.
        region: where it will be deployed.
        into: the folder to write to; what was there is replaced.

    Raises:
        template.TemplateError: the parts do not fit together.
    """
    if stage not in stages():
        raise template.TemplateError(f"there is no stage {stage}; there are {', '.join(stages())}")
    with tempfile.TemporaryDirectory() as folder:
        _chalice_package(stage, region, folder)
        zipped = Path(folder) / "deployment.zip"
        bundle.finish(zipped)
        sam = json.loads((Path(folder) / "sam.json").read_text())
        made = template.expand(template.build(sam, stage=stage, door=door, policies=policies()), region)
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        code = into / zipped.name
        shutil.move(zipped, code)
    package = Package(
        stage=stage,
        door=door,
        template=made,
        code=code,
        code_hash=hashlib.sha256(code.read_bytes()).hexdigest(),
    )
    (into / "template.json").write_text(package.template_text)
    return package


def _chalice_package(stage: str, region: str, folder: str) -> None:
    """What `chalice package --stage … folder` does, for any region and without its progress report."""
    from chalice.awsclient import TypedAWSClient  # noqa: PLC0415  # who only reads what there is need not wait for them
    from chalice.cli import factory  # noqa: PLC0415
    from chalice.package import PackageOptions  # noqa: PLC0415

    chalice = factory.CLIFactory(str(ROOT))
    config = chalice.create_config_obj(stage)
    session = factory.create_botocore_session()
    session.set_config_variable("region", region)
    options = PackageOptions(TypedAWSClient(session=session))
    with contextlib.redirect_stdout(io.StringIO()):
        chalice.create_app_packager(config, options, "cloudformation", "json").package_app(config, folder, stage)

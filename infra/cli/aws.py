"""`mns aws`: a deployment to AWS, from the package to the proof that it works."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import chalicelib
from infra.local import config

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Callable, Mapping

    from infra.aws import package, stack

_DOORS = ("rest", "http", "url")  # infra.aws.template.Door, which takes a while to import


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("aws", help="deploy to AWS", description="Deploy OpenMNS to an AWS account.")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    make = actions.add_parser("package", help="make build/STAGE: the template and the functions' code")
    _add_stage(make)
    _add_door(make, default="rest", note="rest")
    make.add_argument("--region", help="where it will be deployed (of your AWS configuration)")
    make.add_argument("--out", metavar="DIR", type=Path, help="folder to write to (build/STAGE)")
    make.set_defaults(run=_package)

    deploy = actions.add_parser("deploy", help="package a stage and make or change its stack")
    _add_stage(deploy)
    _add_door(deploy, default=None, note="the one that is deployed, else rest")
    _add_account(deploy)
    deploy.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="a parameter of the template; may come again"
    )
    deploy.set_defaults(run=_deploy)

    destroy = actions.add_parser("destroy", help="delete a stage's stack; its tables stay")
    _add_stage(destroy)
    _add_account(destroy)
    destroy.add_argument("--delete-data", action="store_true", help="delete the tables too, with all that is in them")
    destroy.add_argument("--yes", action="store_true", help="do not ask")
    destroy.set_defaults(run=_destroy)

    certificate = actions.add_parser("certificate", help="make a new certificate of pushes")
    _add_stage(certificate)
    _add_account(certificate)
    certificate.add_argument("--bits", type=int, choices=(1024, 2048, 4096), default=1024, help="of its key (1024)")
    certificate.set_defaults(run=_certificate)

    replay = actions.add_parser("replay", help="have done again what functions gave up, once its cause is mended")
    _add_stage(replay)
    _add_account(replay)
    replay.add_argument("--dry-run", action="store_true", help="only tell what there is")
    replay.add_argument(
        "--discard-gone", action="store_true", help="forget what can be read no more, a day after it came"
    )
    replay.set_defaults(run=_replay)

    verify = actions.add_parser("verify", help="prove that a deployment works, end to end")
    verify.add_argument("url", help="the endpoint")
    verify.add_argument("--access-key-id", required=True)
    verify.add_argument("--access-key-secret", required=True)
    verify.add_argument(
        "--receiver", metavar="HOST[:PORT]", help="this machine's address, where pushes of the deployment can reach it"
    )
    verify.add_argument("--mns-region", default="cn-hangzhou", help="MnsRegion of the deployment (cn-hangzhou)")
    verify.add_argument("--patience", type=float, default=240, help="seconds that a step may take (240)")
    verify.add_argument("--quick", action="store_true", help="leave out what takes a minute and more")
    verify.add_argument("--json", action="store_true", help="print JSON instead of a table")
    verify.set_defaults(run=_verify)


def _add_stage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", default="dev", help="of .chalice/config.json: dev, prod or private (dev)")


def _add_door(parser: argparse.ArgumentParser, *, default: str | None, note: str) -> None:
    parser.add_argument("--door", choices=_DOORS, default=default, help=f"what stands in front of the API ({note})")


def _add_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="of the stack (openmns-STAGE)")
    parser.add_argument("--profile", help="of your AWS configuration")
    parser.add_argument("--region", help="where to deploy (of your AWS configuration)")


def _package(chosen: argparse.Namespace) -> int:
    return _explain(lambda: _packaged(chosen))


def _packaged(chosen: argparse.Namespace) -> int:
    from infra.aws import stack  # noqa: PLC0415  # a wrong flag is answered before boto3 is imported

    made = _made(chosen, chosen.region or stack.configured_region(), chosen.out)
    _say(f"{made.code}  {made.code.stat().st_size:,} bytes, sha256 {made.code_hash[:16]}…")
    text = made.template_text
    _say(f"{made.code.with_name('template.json')}  {len(text):,} bytes, {len(made.template['Resources'])} resources")
    return 0


def _made(chosen: argparse.Namespace, region: str, out: Path | None = None) -> "package.Package":
    from infra.aws import package, template  # noqa: PLC0415  # see above

    into = out or package.ROOT / "build" / chosen.stage
    try:
        return package.make(chosen.stage, template.Door(chosen.door), region=region, into=into)
    except template.TemplateError as error:
        raise config.ConfigError(str(error)) from error


def _stack(chosen: argparse.Namespace) -> "tuple[stack.Account, stack.Stack]":
    from infra.aws import stack  # noqa: PLC0415  # see above

    account = stack.sign_in(chosen.profile, chosen.region)
    _say(f"account {account.account_id}, region {account.region}")
    return account, stack.Stack(account, chosen.name or f"openmns-{chosen.stage}", say=_say)


def _deploy(chosen: argparse.Namespace) -> int:
    return _explain(lambda: _deployed(chosen))


def _deployed(chosen: argparse.Namespace) -> int:
    from infra.aws import stack  # noqa: PLC0415  # see above

    parameters = _pairs(chosen.set)
    account, of = _stack(chosen)
    chosen.door = _door(of, chosen.door)
    made = _made(chosen, account.region)
    outputs = of.deploy(made, parameters)
    stack.application(account, outputs).verbs.identities.certificate()  # made, the first time
    _say(f"\nOpenMNS {chalicelib.__version__} is deployed as {of.name}:")
    _say(f"  endpoint  {outputs['EndpointURL']}")
    _say(f"  tables    {outputs['TablePrefix']}*")
    _say("\nNext: an account and its first key, then the proof:")
    told = f"OPENMNS_TABLE_PREFIX={outputs['TablePrefix']} OPENMNS_KMS_KEY={outputs['SecretsKey']}"
    _say(f"  {told} mns account create --aws")
    _say(f"  mns aws verify {outputs['EndpointURL']} --access-key-id … --access-key-secret …")
    return 0


def _door(of: "stack.Stack", wanted: str | None) -> str:
    """The door that is wanted, or the one there is."""
    from infra.aws import stack  # noqa: PLC0415  # see above

    try:
        present = of.door()
    except stack.DeployError:
        if wanted is None:
            raise
        present = None
    if present is None:
        return wanted or _DOORS[0]
    if wanted is None:
        _say(f"door {present}, as it is deployed")
    elif wanted != present:
        _say(f"door {wanted} in place of {present}: clients need the new endpoint")
    return wanted or present.value


def _destroy(chosen: argparse.Namespace) -> int:
    return _explain(lambda: _destroyed(chosen))


def _destroyed(chosen: argparse.Namespace) -> int:
    _, of = _stack(chosen)
    what = "the stack and all data" if chosen.delete_data else "the stack; the tables stay"
    if not chosen.yes and input(f"This deletes {what}. Type {of.name} to go on: ").strip() != of.name:
        _say("nothing was deleted")
        return 1
    kept = of.destroy(delete_data=chosen.delete_data)
    _say(f"the stack {of.name} is gone")
    if kept:
        _say(f"these tables are still there, and the next deployment takes them up again: {', '.join(kept)}")
    return 0


def _certificate(chosen: argparse.Namespace) -> int:
    return _explain(lambda: _renewed(chosen))


def _renewed(chosen: argparse.Namespace) -> int:
    from infra.aws import stack  # noqa: PLC0415  # see above
    from infra.local import certificates  # noqa: PLC0415  # see above

    account, of = _stack(chosen)
    outputs = of.outputs()
    stack.application(account, outputs).verbs.identities.set_certificate(certificates.make(chosen.bits))
    _say("pushes are signed by the new key within five minutes")
    return 0


def _replay(chosen: argparse.Namespace) -> int:
    return _explain(lambda: _replayed(chosen))


def _replayed(chosen: argparse.Namespace) -> int:
    from infra.aws import replay, stack  # noqa: PLC0415  # see above

    account, of = _stack(chosen)
    url = of.outputs()["DeadRecordsURL"]
    gone = {replay.Outcome.DONE} | ({replay.Outcome.GONE} if chosen.discard_gone else set())
    left = 0
    for one in stack.replay(account, url, look=chosen.dry_run, discard=chosen.discard_gone):
        left += one.outcome not in gone
        _say(f"{one.outcome:8}{one.given_up_at:26}{one.function.rpartition(':')[2]}  {one.detail}")
    _say(f"{left} messages are left in {url}" if left else "nothing is left")
    return 1 if left else 0


def _verify(chosen: argparse.Namespace) -> int:
    from infra.aws import verify  # noqa: PLC0415  # see above

    def tell(step: verify.Step) -> None:
        if not chosen.json:
            _say(f"{step.outcome:8}{step.seconds:7.2f} s  {step.name:34}{step.detail}")

    target = verify.Target(
        url=chosen.url,
        access_key_id=chosen.access_key_id,
        secret=chosen.access_key_secret,
        region=chosen.mns_region,
        receiver=chosen.receiver,
        patience=chosen.patience,
        quick=chosen.quick,
    )
    try:
        steps = verify.run(target, tell)
    except verify.VerifyError as error:
        raise config.ConfigError(str(error)) from error
    failed = [step for step in steps if step.outcome == "failed"]
    if chosen.json:
        _say(json.dumps({"url": chosen.url, "ok": not failed, "steps": [step.as_json() for step in steps]}, indent=1))
    else:
        _say(f"\n{len(failed)} of {len(steps)} steps failed" if failed else "\nthe deployment works")
    return 1 if failed else 0


def _explain(action: "Callable[[], int]") -> int:
    from infra.aws import stack  # noqa: PLC0415  # see above

    try:
        return action()
    except stack.DeployError as error:
        raise config.ConfigError(str(error)) from error


def _pairs(given: list[str]) -> "Mapping[str, str]":
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise config.ConfigError(f"--set takes NAME=VALUE, not {name}")
    return {name: value for name, _, value in pairs}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

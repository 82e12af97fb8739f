"""`mns serve` as a user runs it: flags, environment, `openmns.toml`, the banner, and errors in one line."""

import re
import socket
import subprocess
from pathlib import Path

import pytest

from infra.cli import main
from tests import live
from tests.live import Key

FILE = """
region = "cn-beijing"
account = "1111111111111111"
access_key_id = "of-the-file"
access_key_secret = "secret-of-the-file"

[[accounts]]
id = "2222222222222222"
access_key_id = "second"
access_key_secret = "secret-of-the-second"

[[queues]]
name = "orders"
visibility_timeout = 60
logging_enabled = true

[[queues]]
name = "theirs"
account = "2222222222222222"
"""
SECOND = Key(account_id="2222222222222222", access_key_id="second", secret="secret-of-the-second")


def run(*flags: str, folder: Path, **variables: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a `mns serve` that ends by itself."""
    done = subprocess.run(  # noqa: S603  # our own command
        [live.mns_command(), "serve", *flags],
        cwd=folder,
        env=live.environment(**variables),
        capture_output=True,
        timeout=20,
        check=False,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_unless_told_otherwise_it_serves_the_default_account_on_loopback_and_says_how_to_reach_it(server):
    port = server.address[1]
    pattern = rf"""OpenMNS \d+\.\d+\.\d+ is ready after \d+\.\d s: engine embedded, kept in memory only

  endpoint         http://127\.0\.0\.1:{port}
  account          1234567890123456, region cn-hangzhou
  AccessKeyId      openmns
  AccessKeySecret  openmns-secret

Try:  curl http://127\.0\.0\.1:{port}/health
Stop: Ctrl-C
"""
    assert re.fullmatch(pattern, server.banner)


def test_flags_win_over_the_environment_the_environment_over_the_file_and_the_file_over_defaults(tmp_path):
    (tmp_path / "openmns.toml").write_text(FILE)
    variables = {"OPENMNS_ACCESS_KEY_ID": "of-the-environment", "OPENMNS_ACCESS_KEY_SECRET": "of-the-environment-too"}
    with live.serving(tmp_path, "--port", "0", "--access-key-secret", "of-the-flag", variables=variables) as configured:
        key = Key(account_id="1111111111111111", access_key_id="of-the-environment", secret="of-the-flag")
        assert configured.banner.splitlines()[0].endswith(": engine embedded, kept in .openmns")
        banner = configured.banner.splitlines()[2:8]
        assert banner == [
            f"  endpoint         {configured.endpoint}",
            "  account          1111111111111111, region cn-beijing",
            "  AccessKeyId      of-the-environment",
            "  AccessKeySecret  (as configured)",
            "  and              1 more account keys of openmns.toml",
            "  queues           orders, theirs",
        ]
        orders = configured.ask("GET", "/queues/orders", key=key)
        assert (orders.fields["VisibilityTimeout"], orders.fields["LoggingEnabled"]) == ("60", "True")
        assert [
            configured.ask("GET", "/queues/theirs", key=key).status,
            configured.ask("GET", "/queues/theirs", key=SECOND).status,
            configured.ask("GET", "/queues/orders", key=SECOND).status,
            configured.ask("GET", "/queues", key=live.OWNER).status,
        ] == [404, 200, 404, 403]
        vendor_host = "1111111111111111.mns.cn-beijing.aliyuncs.com"  # the configured region is where the queues are
        assert configured.ask("GET", "/queues/orders", key=key, host=vendor_host).status == 200
        assert live.stopped_cleanly(configured) == (0, "")


def test_a_port_in_use_is_told_in_one_line_with_status_2(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run("--port", str(port), folder=tmp_path) == (
            2,
            "",
            (
                f"mns: cannot listen on 127.0.0.1:{port}: Address already in use;"
                " choose another address with --host or another port with --port\n"
            ),
        )


def test_an_address_that_is_not_of_this_machine_is_told_in_one_line_with_status_2(tmp_path):
    status, printed, told = run("--port", "0", "--host", "192.0.2.1", folder=tmp_path)
    assert (status, printed, told.count("\n")) == (2, "", 1)
    assert told.startswith("mns: cannot listen on 192.0.2.1:0: ")


def test_a_host_name_that_does_not_exist_is_told_in_one_line_with_status_2(tmp_path):
    status, printed, told = run("--port", "0", "--host", "no-such-host.invalid", folder=tmp_path)
    assert (status, printed, told.count("\n")) == (2, "", 1)
    assert told.startswith("mns: cannot listen on no-such-host.invalid:0: ")


@pytest.mark.parametrize(
    ("flags", "variables", "file", "told"),
    [
        (["--port", "70000"], {}, "", "port should be 0 to 65535, not 70000"),
        ([], {"OPENMNS_PORT": "many"}, "", "OPENMNS_PORT should be of type int, not 'many'"),
        (
            ["--data", "kept", "--engine", "moto"],
            {},
            "",
            "the moto engine keeps its state in memory only: leave out data",
        ),
        (["--data", "kept", "--memory"], {}, "", "data and memory exclude each other: give the one or the other"),
        (["--data", "/dev/null"], {}, "", "cannot keep the state in /dev/null: "),
        ([], {"OPENMNS_DURABILITY": "some"}, "", "durability should be one of normal, full, not 'some'"),
        ([], {"OPENMNS_ENGINE": "paper"}, "", "engine should be one of embedded, moto, not 'paper'"),
        (
            [],
            {"OPENMNS_MEMORY": "perhaps"},
            "",
            "OPENMNS_MEMORY should be one of true, 1, yes, false, 0, no, not 'perhaps'",
        ),
        (["--config", "missing.toml"], {}, "", "there is no file missing.toml"),
        ([], {}, "port = ", "openmns.toml is not TOML: "),
        ([], {}, 'port = "8000"', "port should be of type int, not '8000'"),
        ([], {}, "prot = 8000", "prot is not a setting; the settings are: host, port, "),
        (["--account", "me"], {}, "", "an account id is made of digits, not 'me'"),
        ([], {}, '[[queues]]\nname = "a b"', "the queue 'a b': The queue name should hold letters"),
        (
            [],
            {},
            '[[queues]]\nname = "q"\n[[queues]]\nname = "q"\ndelay_seconds = 1',
            "the queue q of openmns.toml is there already, with other attributes",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_told_in_one_line_with_status_2(tmp_path, flags, variables, file, told):
    if file:
        (tmp_path / "openmns.toml").write_text(file)
    any_port = {} if "port" in file else {"OPENMNS_PORT": "0"}  # so that nothing is served by accident
    status, printed, complaint = run(*flags, folder=tmp_path, **(any_port | variables))
    assert (status, printed, complaint.count("\n")) == (2, "", 1)
    assert complaint.startswith(f"mns: {told}")


def test_a_flag_that_does_not_exist_is_told_with_the_usage_and_status_2(tmp_path):
    status, printed, told = run("--prot", "8000", folder=tmp_path)
    assert (status, printed) == (2, "")
    assert told.endswith("mns: error: unrecognized arguments: --prot 8000\n")


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"OpenMNS \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_an_ipv6_address_stands_in_brackets_in_the_endpoint(tmp_path):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with live.serving(tmp_path, "--port", "0", "--host", "::1") as server:
        assert re.fullmatch(r"http://\[::1\]:\d+", server.endpoint)
        assert server.ask("GET", "/queues", host=server.host).status == 200

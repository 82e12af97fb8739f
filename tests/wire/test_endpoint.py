"""Hosts: the account is the first label, the region stands behind `mns`, and a bare host names neither."""

import pytest

from chalicelib.wire import endpoint

ACCOUNT = "1234567890123456"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("1234567890123456.mns.cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou-internal-vpc.aliyuncs.com", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou-vpc.aliyuncs.com", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou-control.aliyuncs.com", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou-internal-control.aliyuncs.com", "cn-hangzhou"),
        ("1234567890123456.mns.cn-shanghai-finance-1.aliyuncs.com", "cn-shanghai-finance-1"),
        ("1234567890123456.mns.cn-shanghai-finance-1-internal-vpc.aliyuncs.com", "cn-shanghai-finance-1"),
        ("1234567890123456.mns.us-east-1.aliyuncs.com", "us-east-1"),
        ("1234567890123456.mns-vpc.cn-hangzhou.mns.aliyuncs.com", "cn-hangzhou"),
        ("1234567890123456.mns-internal.cn-hangzhou.mns.private.example.test", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou.a.b.c.d.example.test", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou.aliyuncs.com:80", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou.localhost:8000", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou", "cn-hangzhou"),
        ("1234567890123456.mns.cn-hangzhou:8000", "cn-hangzhou"),
        ("1234567890123456.MNS.CN-Hangzhou.Aliyuncs.Com", "cn-hangzhou"),
        ("1.mns.cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
    ],
)
def test_a_host_of_the_service_names_account_and_region(host, region):
    assert endpoint.read_host(host) == (host.partition(".")[0], region)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "localhost:8000",
        "127.0.0.1",
        "127.0.0.1:8000",
        "10.0.0.1:80",
        "[::1]",
        "[::1]:8000",
        "[fe80::1%25eth0]:8000",
        "mns.example.test",
        "mns.cn-hangzhou.aliyuncs.com",
        "abc123.execute-api.us-east-1.amazonaws.com",
        "1234567890123456.localhost:8000",
        "1234567890123456.mns",
        "1234567890123456.mns:8000",
        "1234567890123456.mnsx.cn-hangzhou.aliyuncs.com",
        "1234567890123456.sqs.cn-hangzhou.aliyuncs.com",
        "alice.mns.cn-hangzhou.aliyuncs.com",
        "x1234567890123456.mns.cn-hangzhou.aliyuncs.com",
        "-1.mns.cn-hangzhou.aliyuncs.com",
        "1" * 33 + ".mns.cn-hangzhou.aliyuncs.com",
        "\u0661.mns.cn-hangzhou.aliyuncs.com",
        "1.mns..aliyuncs.com",
        " 1.mns.cn-hangzhou.aliyuncs.com",
    ],
)
def test_any_other_host_names_neither(host):
    assert endpoint.read_host(host) == (None, None)


def test_a_host_longer_than_any_name_names_nothing_whatever_it_is_made_of():
    assert endpoint.read_host("1.mns." + "-vpc" * 15_000 + "!") == (None, None)


def test_what_follows_the_region_in_its_label_is_no_part_of_it():
    assert endpoint.read_host("1234567890123456.mns.cn-hangzhou-internal-vpc.aliyuncs.com")[1] == "cn-hangzhou"

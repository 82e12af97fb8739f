"""Settings: what a deployment may decide, and how the environment says it."""

import dataclasses

import pytest

from chalicelib import settings


def test_an_empty_environment_means_the_defaults():
    assert settings.read({}) == settings.Settings()


def test_every_field_can_be_set_by_its_variable():
    given = {
        "OPENMNS_REGION": "cn-beijing",
        "OPENMNS_TABLE_PREFIX": "dev-",
        "OPENMNS_APPLICATION": "infra.local.stage:make",
        "OPENMNS_LONGEST_WAIT": "12.5",
        "OPENMNS_EXPLAIN_SIGNATURES": "TRUE",
        "OPENMNS_INLINE_BYTES": "2048",
        "OPENMNS_QUEUE_SHARDS": "8",
        "OPENMNS_TOPIC_SHARDS": "2",
        "OPENMNS_BUCKET_OWNERS": "photos=1234567890123456",
        "OPENMNS_ACCOUNT_RATE": "500",
        "OPENMNS_METADATA_RATE": "0",
        "OPENMNS_KMS_KEY": "alias/dev",
        "OPENMNS_PUBLIC_URL": "https://mns.example.test",
        "OPENMNS_PUSH_ALLOW": "127.0.0.0/8",
        "OPENMNS_PUSH_CA_FILE": "ca.pem",
        "OPENMNS_MAIL_SENDER": "mns@example.test",
        "OPENMNS_SMTP_URL": "smtp://mail.example.test",
        "OPENMNS_PUSH_PATIENCE": "0.5",
        "OPENMNS_MESSAGES_STREAM_ARN": "arn:m",
        "OPENMNS_RESOURCES_STREAM_ARN": "arn:r",
        "OPENMNS_PUBLICATIONS_STREAM_ARN": "arn:p",
        "OPENMNS_DELIVERIES_STREAM_ARN": "arn:d",
    }
    assert settings.read(given) == settings.Settings(
        region="cn-beijing",
        table_prefix="dev-",
        application="infra.local.stage:make",
        longest_wait=12.5,
        explain_signatures=True,
        inline_bytes=2048,
        queue_shards=8,
        topic_shards=2,
        bucket_owners="photos=1234567890123456",
        account_rate=500,
        metadata_rate=0,
        kms_key="alias/dev",
        public_url="https://mns.example.test",
        push_allow="127.0.0.0/8",
        push_ca_file="ca.pem",
        mail_sender="mns@example.test",
        smtp_url="smtp://mail.example.test",
        push_patience=0.5,
        messages_stream_arn="arn:m",
        resources_stream_arn="arn:r",
        publications_stream_arn="arn:p",
        deliveries_stream_arn="arn:d",
    )
    assert set(given) == {f"OPENMNS_{field.name.upper()}" for field in dataclasses.fields(settings.Settings)}


def test_the_variables_of_others_do_not_matter():
    assert settings.read({"REGION": "x", "PATH": "y", "OPENMNS": "z"}) == settings.Settings()


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("OPENMNS_EXPLAIN_SIGNATURES", "yes", "OPENMNS_EXPLAIN_SIGNATURES should be of type bool, not 'yes'"),
        ("OPENMNS_QUEUE_SHARDS", "few", "OPENMNS_QUEUE_SHARDS should be of type int, not 'few'"),
        ("OPENMNS_INLINE_BYTES", "1.5", "OPENMNS_INLINE_BYTES should be of type int, not '1.5'"),
    ],
)
def test_a_variable_of_the_wrong_form_is_named(variable, text, sentence):
    with pytest.raises(ValueError, match=variable) as raised:
        settings.read({variable: text})
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "OPENMNS_LONGEST_WAIT should be of type float, not ''"),
        ("30.5", "OPENMNS_LONGEST_WAIT should be 0 to 30, not 30.5"),
        ("-0.5", "OPENMNS_LONGEST_WAIT should be 0 to 30, not -0.5"),
        ("nan", "OPENMNS_LONGEST_WAIT should be 0 to 30, not nan"),
    ],
)
def test_the_longest_wait_is_0_to_30_seconds_and_may_have_a_fraction(text, sentence):
    with pytest.raises(ValueError, match="OPENMNS_LONGEST_WAIT") as raised:
        settings.read({"OPENMNS_LONGEST_WAIT": text})
    assert str(raised.value) == sentence


@pytest.mark.parametrize("shards", ["0", "65"])
def test_a_number_of_shards_out_of_range_is_a_value_error_that_names_the_variable(shards):
    with pytest.raises(ValueError, match="OPENMNS_QUEUE_SHARDS"):
        settings.read({"OPENMNS_QUEUE_SHARDS": shards})


def test_a_deployment_does_not_start_with_the_local_secret():
    local = {"OPENMNS_ACCESS_KEY_SECRET": settings.LOCAL_SECRET}
    with pytest.raises(ValueError, match="a deployment has no default account: make one with `mns account create`"):
        settings.read(local)
    assert settings.read(local | {"OPENMNS_APPLICATION": "infra.local.stage:application"}).application
    assert settings.read({"OPENMNS_ACCESS_KEY_SECRET": "another"}) == settings.Settings()


@pytest.mark.parametrize("variable", ["OPENMNS_ACCOUNT_RATE", "OPENMNS_METADATA_RATE"])
def test_a_rate_below_zero_is_a_value_error_that_names_the_variable(variable):
    with pytest.raises(ValueError, match=f"{variable} should be 0 "):
        settings.read({variable: "-1"})


def test_owners_of_buckets_that_cannot_be_read_are_a_value_error_that_names_the_variable():
    with pytest.raises(ValueError, match="OPENMNS_BUCKET_OWNERS: 'photos' should be of the form"):
        settings.read({"OPENMNS_BUCKET_OWNERS": "photos"})


def test_lambdas_own_variable_says_that_lambda_has_started_the_process():
    assert settings.on_lambda({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"})
    assert not settings.on_lambda({"OPENMNS_REGION": "cn-hangzhou"})

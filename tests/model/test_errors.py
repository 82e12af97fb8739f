"""Errors: the code is the class's name, the message its docstring, the status that of the specification's table."""

import pytest

from chalicelib.model import errors

# Section 13.2, as far as queues and topics can meet it.
STATUSES = {
    "InvalidAuthorizationHeader": 400,
    "MissingAuthorizationHeader": 400,
    "InvalidDateHeader": 400,
    "MissingDateHeader": 400,
    "MissingVersionHeader": 400,
    "InvalidVersionHeader": 400,
    "InvalidDegist": 400,
    "InvalidRequestURL": 400,
    "InvalidQueryString": 400,
    "MalformedXML": 400,
    "InvalidArgument": 400,
    "MissingReceiptHandle": 400,
    "MissingVisibilityTimeout": 400,
    "ReceiptHandleError": 400,
    "InvalidQueueName": 400,
    "QueueNameLengthError": 400,
    "QueueNumExceededLimit": 400,
    "TopicNameInvalid": 400,
    "TopicNameLengthError": 400,
    "TopicNumExceededLimit": 400,
    "SubscriptionNameInvalid": 400,
    "SubscriptionNameLengthError": 400,
    "SubscriptionNumExceededLimit": 400,
    "EndpointInvalid": 400,
    "IdempotentParameterMismatch": 400,
    "AccessDenied": 403,
    "InvalidAccessKeyId": 403,
    "SignatureDoesNotMatch": 403,
    "QueueNotExist": 404,
    "TopicNotExist": 404,
    "SubscriptionNotExist": 404,
    "MessageNotExist": 404,
    "TimeExpired": 408,
    "QueueAlreadyExist": 409,
    "TopicAlreadyExist": 409,
    "SubscriptionAlreadyExist": 409,
    "IdempotentProcessing": 409,
    "TooManyRequests": 429,
    # of RAM and STS
    "EntityNotExist": 404,
    "EntityAlreadyExists": 409,
    "DeleteConflict": 409,
    "LimitExceeded": 409,
    "InvalidParameter": 400,
    "MalformedPolicyDocument": 400,
    "InternalError": 500,
}


def tree(root):
    for child in root.__subclasses__():
        yield child
        yield from tree(child)


ALL = sorted(set(tree(errors.MnsError)), key=lambda each: each.__name__)
LEAVES = [each for each in ALL if not each.__subclasses__()]


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_the_specifications_codes_have_the_specifications_statuses(code, status):
    error = getattr(errors, code)()
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_the_code_of_an_error_is_the_name_of_its_class_and_its_docstring_the_default_message(leaf):
    error = leaf()
    assert (error.code, error.message) == (leaf.__name__, leaf.__doc__)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_a_message_given_replaces_the_default(leaf):
    error = leaf("The value of Priority should between 1 and 16.")
    assert (error.code, error.message, str(error)) == (
        leaf.__name__,
        "The value of Priority should between 1 and 16.",
        "The value of Priority should between 1 and 16.",
    )


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.__name__)
def test_every_class_is_one_sentence_on_one_line(each):
    assert each.__doc__.strip() == each.__doc__
    assert "\n" not in each.__doc__
    assert each.__doc__.endswith(".")


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_status_is_one_that_the_specification_knows_for_errors(leaf):
    assert leaf.status in {400, 403, 404, 408, 409, 429, 500}


def test_errors_of_ram_say_what_they_are_about():
    error = errors.DeleteConflict("The user is in a group.", of="User.Group")
    assert (error.code, error.status, error.message) == ("DeleteConflict.User.Group", 409, "The user is in a group.")


def test_the_sentences_that_the_node_sdks_tests_match_are_word_for_word():
    assert errors.InvalidAccessKeyId().message == "The access Id you provided is not exist."
    assert errors.AccessDenied().message == (
        "The OwnerId that your Access Key Id associated to is forbidden for this operation."
    )


def test_the_sentences_that_the_specification_quotes_are_word_for_word():
    assert errors.QueueNotExist().message == "The queue name you provided is not exist."
    assert errors.MessageNotExist().message == "Message not exist."
    assert errors.QueueAlreadyExist().message == "The queue you want to create is already exist."

"""Messages read without a parser: as it would have read them, if at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import errors, limits, message
from chalicelib.wire import messages

GO = (
    b'<Message xmlns="http://mns.aliyuncs.com/doc/v1/"><MessageBody>hello</MessageBody>'
    b"<DelaySeconds>0</DelaySeconds><Priority>8</Priority></Message>"
)
JAVA = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
    b'<Message xmlns="http://mns.aliyuncs.com/doc/v1"><MessageBody xmlns="">x</MessageBody>'
    b'<DelaySeconds xmlns="">604800</DelaySeconds><Priority xmlns="">16</Priority></Message>'
)
PLAIN = [
    GO,
    b"<Message><MessageBody>x</MessageBody></Message>",
    GO.replace(b"</Message>", b"<MessageGroupId> a\n</MessageGroupId></Message>"),
    b"<Message><MessageBody>x</MessageBody><MessageGroupId>" + b"g" * 64 + b"</MessageGroupId></Message>",
    b"<Message>\r\n\t<MessageBody> a\n\tb </MessageBody>\n <Priority>0</Priority></Message>\n",
    b'<?xml version="1.0" encoding="utf-8"?>' + GO,  # Python, Node
    b'<?xml version="1.0" encoding="UTF-8"?>\n' + GO,  # PHP
    b'<?xml version="1.0"?>' + GO,  # C++
    JAVA,
]
# Pieces such as there are, and such as would be read in another way than they look.
PIECES = [
    *(b"&", b"&amp;", b"&#13;", b"<", b">", b"]]>", b"<![CDATA[", b"<!-- -->", b"<?x y?>", b"<!DOCTYPE Message>", b'"'),
    *(b"\r", b"\r\n", b"\n", b" ", b"\t", b"\f", b"\0", b"\x01", b"\x7f", b"\xc3\xa9", b"\xff", b"\xef\xbb\xbf"),
    *(b"-1", b"+1", b"0017", b"99999999999999999999", b"1.0", b"", b" 7 ", b"UTF-16", b"'", b"standalone='yes'"),
    *(b"<Priority>1</Priority>", b"<DelaySeconds>5</DelaySeconds>", b"<MessageBody>y</MessageBody>", b"<Priority/>"),
    *(
        b"<MessageGroupId>g</MessageGroupId>",
        b"<MessageGroupId/>",
        b"g" * 200,
        b"</Message>",
        b"<Message>",
        b"Messages",
        b"a:Message",
        b' xmlns="<"',
    ),
]


def outcome(parse, body):
    try:
        return parse(body)
    except errors.MnsError as error:
        return error.code, error.message


@pytest.mark.parametrize("body", PLAIN)
def test_what_the_sdks_send_is_read_without_a_parser(body, monkeypatch):
    expected = messages._parse_any(body)
    monkeypatch.setattr(messages, "_parse_any", None)
    assert messages.parse_messages(body) == expected


@given(
    st.sampled_from(PLAIN),
    st.lists(st.tuples(st.integers(0, 230), st.integers(0, 12), st.sampled_from(PIECES)), min_size=1, max_size=3),
)
def test_whatever_is_changed_in_them_is_read_as_the_parser_reads_it(body, changes):
    for at, length, piece in changes:
        body = body[:at] + piece + body[at + length :]
    assert outcome(messages.parse_messages, body) == outcome(messages._parse_any, body)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("place", [b"hello", b">0<", b">8<", b"</Message>"])
def test_a_piece_at_any_place_is_read_as_the_parser_reads_it(place, piece):
    for body in (GO.replace(place, place[:1] + piece + place[1:]), GO.replace(place, piece + place), GO + piece):
        assert outcome(messages.parse_messages, body) == outcome(messages._parse_any, body)


@pytest.mark.parametrize("code", range(256))
def test_every_character_in_a_body_is_read_as_the_parser_reads_it(code):
    body = GO.replace(b"hello", b"he" + bytes([code]) + b"llo")
    assert outcome(messages.parse_messages, body) == outcome(messages._parse_any, body)


def test_a_document_that_is_too_large_is_refused_though_it_is_plain():
    largest = GO.replace(b"hello", b"x" * (limits.REQUEST_BYTES - len(GO) + 5))
    assert isinstance(messages.parse_messages(largest), message.Draft)
    assert outcome(messages.parse_messages, largest + b"\n") == (
        "InvalidArgument",
        f"The body has {limits.REQUEST_BYTES + 1} bytes, but {limits.REQUEST_BYTES} is the most.",
    )

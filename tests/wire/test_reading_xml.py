"""Reading XML: what SDKs send is understood, text survives to the byte, and what is hostile is refused."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.model import errors, limits
from chalicelib.wire import xml

quick = settings(max_examples=80, deadline=None, database=None)

# What XML 1.0 can carry: no control characters but tab, line feed and carriage return, no surrogates, no U+FFFE/FFFF.
legal_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
        lambda character: character >= " " or character in "\t\n\r"
    )
)


def leaf(name, text=""):
    return xml.Element(name=name, text=text)


@pytest.mark.parametrize(
    "body",
    [
        b'<Queue xmlns="http://mns.aliyuncs.com/doc/v1/"><DelaySeconds>7</DelaySeconds></Queue>',
        b'<Queue xmlns="http://mns.aliyuncs.com/doc/v1"><DelaySeconds>7</DelaySeconds></Queue>',
        b"<Queue><DelaySeconds>7</DelaySeconds></Queue>",
        b'<Queue xmlns="http://mns.aliyuncs.com/doc/v1"><DelaySeconds xmlns="">7</DelaySeconds></Queue>',
        b'<m:Queue xmlns:m="http://mns.aliyuncs.com/doc/v1"><m:DelaySeconds>7</m:DelaySeconds></m:Queue>',
        b'<Queue xmlns="http://example.test/other"><DelaySeconds>7</DelaySeconds></Queue>',
        b'<?xml version="1.0" ?><Queue><DelaySeconds>7</DelaySeconds></Queue>',
        b'<?xml version="1.0" encoding="utf-8"?>\n<Queue><DelaySeconds>7</DelaySeconds></Queue>\n',
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Queue><DelaySeconds>7</DelaySeconds></Queue>',
        b"\xef\xbb\xbf<Queue><DelaySeconds>7</DelaySeconds></Queue>",
        b"<!-- hello --><Queue><DelaySeconds><!-- there -->7</DelaySeconds></Queue><!-- bye -->",
        b'<Queue version="1"><DelaySeconds unit="s">7</DelaySeconds></Queue>',
        b"<Queue><DelaySeconds><![CDATA[7]]></DelaySeconds></Queue>",
        b"<Queue><DelaySeconds>&#55;</DelaySeconds></Queue>",
    ],
    ids=[
        "slash-terminated namespace",
        "bare namespace",
        "no namespace",
        "child without its parent's namespace",
        "prefix",
        "other namespace",
        "declaration",
        "declaration on its own line",
        "standalone",
        "byte order mark",
        "comments",
        "attributes",
        "cdata",
        "character reference",
    ],
)
def test_elements_are_known_by_their_local_names_however_they_are_dressed(body):
    assert xml.read(body) == xml.Element(name="Queue", children=[leaf("DelaySeconds", "7")])


@pytest.mark.parametrize("body", [b"<Queue/>", b"<Queue></Queue>", b'<Queue xmlns="u"/>'])
def test_an_empty_root_is_an_element_without_children(body):
    assert xml.read(body) == xml.Element(name="Queue")


def test_text_is_kept_to_the_character_with_its_white_space():
    escaped = "  \n\t5 &lt; 6 &amp;&amp; 7 &gt; 6 &quot;&apos; 消息 &#13;&#xA;é \n"
    root = xml.read(f"<Message><MessageBody>{escaped}</MessageBody></Message>".encode())
    assert root.string("MessageBody") == "  \n\t5 < 6 && 7 > 6 \"' 消息 \r\né \n"


def test_a_literal_line_end_becomes_a_line_feed_as_xml_has_it_and_an_escaped_one_stays():
    root = xml.read(b"<Message><MessageBody>a\r\nb\rc&#13;d</MessageBody></Message>")
    assert root.string("MessageBody") == "a\nb\nc\rd"


@quick
@given(legal_text)
def test_whatever_text_xml_can_carry_comes_back_as_it_was_written(text):
    document = xml.write("Message", [("MessageBody", text)])
    assert xml.read(document).string("MessageBody") == text


@quick
@given(legal_text, legal_text)
def test_text_comes_back_from_any_depth(name, value):
    document = xml.write("Message", [("UserProperties", [("PropertyValue", [("Name", name), ("Value", value)])])])
    entry = xml.read(document).child("UserProperties").child("PropertyValue")
    assert (entry.string("Name"), entry.string("Value")) == (name, value)


def test_children_that_nobody_asks_for_do_not_matter():
    root = xml.read(b"<Queue><Colour>red</Colour><DlqPolicy><Enabled>x</Enabled></DlqPolicy></Queue>")
    assert (root.integer("DelaySeconds"), root.string("QueueName"), root.child("Tags")) == (None, None, None)


def test_a_child_given_twice_is_an_invalid_argument():
    root = xml.read(b"<Queue><DelaySeconds>1</DelaySeconds><DelaySeconds>2</DelaySeconds></Queue>")
    with pytest.raises(errors.InvalidArgument) as raised:
        root.integer("DelaySeconds")
    assert raised.value.message == "The element DelaySeconds is given more than once."


def test_a_child_that_should_hold_text_holds_no_elements():
    root = xml.read(b"<Message><MessageBody>a<b/></MessageBody></Message>")
    with pytest.raises(errors.InvalidArgument) as raised:
        root.string("MessageBody")
    assert raised.value.message == "The element MessageBody should hold text only."


def test_all_children_of_a_name_come_in_their_order():
    root = xml.read(b"<Messages><Message>1</Message><x/><Message>2</Message></Messages>")
    assert [child.text for child in root.each("Message")] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("-1", -1), ("+7", 7), (" 60\n", 60), ("007", 7), ("9" * 18, 10**18 - 1)]
)
def test_a_whole_number_may_have_a_sign_and_white_space_round_it(text, value):
    assert xml.read(f"<Queue><N>{text}</N></Queue>".encode()).integer("N") == value


@pytest.mark.parametrize(
    "text", ["", " ", "x", "7.0", "1e3", "0x10", "7 7", "\u0667", "1_000", "--1", "9" * 19, "9" * 5000]
)
def test_anything_else_is_no_whole_number(text):
    with pytest.raises(errors.InvalidArgument) as raised:
        xml.read(f"<Queue><N>{text}</N></Queue>".encode()).integer("N")
    assert raised.value.message == "The value of N should be a whole number."


@pytest.mark.parametrize(
    ("text", "value"),
    [("True", True), ("true", True), ("TRUE", True), ("False", False), ("false", False), (" true\n", True)],
)
def test_a_truth_value_may_be_in_any_case(text, value):
    assert xml.read(f"<Queue><B>{text}</B></Queue>".encode()).boolean("B") is value


@pytest.mark.parametrize("text", ["", "1", "yes", "t", "True False"])
def test_anything_else_is_no_truth_value(text):
    with pytest.raises(errors.InvalidArgument) as raised:
        xml.read(f"<Queue><B>{text}</B></Queue>".encode()).boolean("B")
    assert raised.value.message == "The value of B should be True or False."


def test_the_root_must_be_one_of_those_that_the_operation_takes():
    assert xml.read_root(b"<Messages/>", "Message", "Messages").name == "Messages"
    with pytest.raises(errors.InvalidArgument) as raised:
        xml.read_root(b"<Queue/>", "Message", "Messages")
    assert raised.value.message == "The root element should be Message or Messages, but it is Queue."


BILLION_LAUGHS = (
    b'<!DOCTYPE lolz [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9))
    + b"]><Message><MessageBody>&j;</MessageBody></Message>"
)


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE Message><Message/>",
        b'<!DOCTYPE Message SYSTEM "file:///etc/passwd"><Message/>',
        b'<!DOCTYPE Message PUBLIC "-//x" "http://example.test/x.dtd"><Message/>',
        b'<!DOCTYPE Message [<!ENTITY x "y">]><Message>&x;</Message>',
        b'<!DOCTYPE Message [<!ENTITY x SYSTEM "file:///etc/passwd">]><Message>&x;</Message>',
        b'<!DOCTYPE Message [<!ENTITY % x SYSTEM "http://example.test/x.dtd"> %x;]><Message/>',
        b'<!DOCTYPE Message [<!ATTLIST Message a CDATA "b">]><Message/>',
        BILLION_LAUGHS,
    ],
    ids=[
        "empty",
        "system",
        "public",
        "internal entity",
        "external entity",
        "parameter entity",
        "attribute list",
        "billion laughs",
    ],
)
def test_a_document_type_declaration_is_malformed_whatever_it_declares(body):
    with pytest.raises(errors.MalformedXML) as raised:
        xml.read(body)
    assert raised.value.message == "The body has a document type declaration, which is not allowed."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"hello",
        b'{"MessageBody": "x"}',
        b"<",
        b"<Message>",
        b"<Message><MessageBody></Message>",
        b"<Message/><Message/>",
        b"<Message/>x",
        b'<?xml version="1.0"?>',
        b" <?xml version='1.0'?><Message/>",
        b"<Message>&x;</Message>",
        b"<Message>&</Message>",
        b"<Message a=1/>",
        b"<Message a='1' a='2'/>",
        b"<Message>\x00</Message>",
        b"\x00",
        b"<Message>\x01</Message>",
        b"<Message>&#0;</Message>",
        b"<Message>&#1;</Message>",
        b"<Message>&#xD800;</Message>",
        b"<Message>&#xFFFF;</Message>",
        b"<Message>&#x110000;</Message>",
        b"<Message>\xef\xbf\xbe</Message>",
        b"<Message>\xff</Message>",
        b"<Message>\xc3</Message>",
        b"<Message>\xc0\xaf</Message>",
        b"<Message>\xed\xa0\x80</Message>",
        b"<Message>\xf4\x90\x80\x80</Message>",
        b'<?xml version="1.0" encoding="ISO-8859-1"?><Message>\xe9</Message>',
    ],
    ids=ascii,
)
def test_what_is_not_well_formed_or_not_utf8_is_malformed(body):
    with pytest.raises(errors.MalformedXML):
        xml.read(body)


def test_a_byte_order_mark_of_another_encoding_does_not_make_it_welcome():
    with pytest.raises(errors.MalformedXML):
        xml.read("<Message/>".encode("utf-16"))
    with pytest.raises(errors.MalformedXML):
        xml.read("<Message/>".encode("utf-32"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_byte_order_mark_is_not_utf8_either(encoding):
    with pytest.raises(errors.MalformedXML):
        xml.read("<Message/>".encode(encoding))


def nested(depth):
    return b"<a>" * depth + b"</a>" * depth


def test_elements_may_be_16_deep_and_no_deeper():
    xml.read(nested(limits.XML_DEPTH))
    with pytest.raises(errors.InvalidArgument) as raised:
        xml.read(nested(limits.XML_DEPTH + 1))
    assert raised.value.message == "The body has too many elements or they are too deep."


def test_an_endless_descent_is_refused_before_it_ends():
    with pytest.raises(errors.InvalidArgument):
        xml.read(b"<a>" * 300_000)


def test_there_may_be_8192_elements_and_no_more():
    xml.read(b"<a>" + b"<b/>" * (limits.XML_ELEMENTS - 1) + b"</a>")
    with pytest.raises(errors.InvalidArgument) as raised:
        xml.read(b"<a>" + b"<b/>" * limits.XML_ELEMENTS + b"</a>")
    assert raised.value.message == "The body has too many elements or they are too deep."


def test_a_body_may_have_a_mebibyte_and_no_more():
    frame = b"<Message><MessageBody></MessageBody></Message>"
    text = b"x" * (limits.REQUEST_BYTES - len(frame))
    body = frame.replace(b"><", b">" + text + b"<", 2).replace(text, b"", 1)
    assert len(body) == 1_048_576
    assert xml.read(body).string("MessageBody") == text.decode()
    with pytest.raises(errors.InvalidArgument) as raised:
        xml.read(body + b"\n")
    assert raised.value.message == "The body has 1048577 bytes, but 1048576 is the most."


def test_a_body_of_nothing_but_short_lines_is_read_whole():
    text = "x\n" * 100_000  # the parser hands it over in two hundred thousand pieces
    assert xml.read(f"<Message><MessageBody>{text}</MessageBody></Message>".encode()).string("MessageBody") == text


@quick
@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: f"<Queue>{text}</Queue>".encode("utf-8", "replace"))
)
def test_whatever_comes_is_an_element_or_an_error_for_the_client(body):
    try:
        assert isinstance(xml.read(body), xml.Element)
    except errors.BadRequest as error:
        assert error.code in {"MalformedXML", "InvalidArgument"}  # noqa: PT017  # either outcome is right


def test_a_long_namespace_is_not_written_out_for_every_name():
    attributes = " ".join(f'p:a{number}=""' for number in range(1_000))
    body = f'<p:Message xmlns:p="{"u" * 300_000}" {attributes}/>'.encode()
    tracemalloc.start()
    try:
        assert xml.read(body).name == "Message"
        assert tracemalloc.get_traced_memory()[1] < 10 * len(body)
    finally:
        tracemalloc.stop()

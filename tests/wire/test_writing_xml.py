"""Writing XML: the layout that the real service uses, byte for byte, because parsers came to need it."""

from xml.dom import minidom

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.wire import xml

quick = settings(max_examples=80, deadline=None, database=None)


def test_a_document_has_a_declaration_a_default_namespace_and_an_indented_line_per_element():
    nodes = [
        ("MessageId", "0A1B2C3D4E5F60718293A4B5C6D7E8F9"),
        ("DequeueCount", 1),
        ("UserProperties", [("PropertyValue", [("Name", "city"), ("Value", "hangzhou"), ("Type", "STRING")])]),
    ]
    assert xml.write("Message", nodes) == (
        b'<?xml version="1.0" ?>\n'
        b'<Message xmlns="http://mns.aliyuncs.com/doc/v1">\n'
        b"  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8F9</MessageId>\n"
        b"  <DequeueCount>1</DequeueCount>\n"
        b"  <UserProperties>\n"
        b"    <PropertyValue>\n"
        b"      <Name>city</Name>\n"
        b"      <Value>hangzhou</Value>\n"
        b"      <Type>STRING</Type>\n"
        b"    </PropertyValue>\n"
        b"  </UserProperties>\n"
        b"</Message>"
    )


def test_an_empty_list_is_a_root_without_children():
    assert xml.write("Queues", []) == (
        b'<?xml version="1.0" ?>\n<Queues xmlns="http://mns.aliyuncs.com/doc/v1">\n</Queues>'
    )


def test_the_namespace_has_no_slash_at_its_end_for_the_java_sdk_reads_errors_by_exactly_this_name():
    assert xml.NAMESPACE == "http://mns.aliyuncs.com/doc/v1"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", b""),
        ("a & b < c > d", b"a &amp; b &lt; c &gt; d"),
        ("]]>", b"]]&gt;"),
        ("\"quoted' text", b"\"quoted' text"),
        ("line\r\nline\rline\n", b"line&#13;\nline&#13;line\n"),
        ("\t tab and spaces  ", b"\t tab and spaces  "),
        ("消息", b"\xe6\xb6\x88\xe6\x81\xaf"),
        ("消 & < > \r\n\t息", b"\xe6\xb6\x88 &amp; &lt; &gt; &#13;\n\t\xe6\x81\xaf"),
        ("\U0001f600", b"\xf0\x9f\x98\x80"),
        ("&amp;", b"&amp;amp;"),
        (8, b"8"),
        (1704164645456, b"1704164645456"),
    ],
)
def test_text_is_utf8_and_only_what_xml_needs_is_escaped(text, written):
    body = xml.write("Message", [("MessageBody", text)])
    assert body == (
        b'<?xml version="1.0" ?>\n<Message xmlns="http://mns.aliyuncs.com/doc/v1">\n  <MessageBody>'
        + written
        + b"</MessageBody>\n</Message>"
    )


@pytest.mark.parametrize("character", [chr(code) for code in range(0x80)], ids=ascii)
def test_an_ascii_character_is_escaped_in_any_company_as_it_is_in_that_of_others(character):
    assert [xml.escape(text) for text in (character, f"a{character}?")] == [
        xml.escape(f"{text}é")[:-1] for text in (character, f"a{character}?")
    ]


def test_a_nested_element_begins_with_white_space_for_older_python_sdks_read_the_first_text_of_every_child():
    written = xml.write("Message", [("UserProperties", [("PropertyValue", [("Name", "x")])])])
    document = minidom.parseString(written)  # noqa: S318  # our own
    [nested] = document.getElementsByTagName("UserProperties")
    assert nested.firstChild.data == "\n    "


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff", "\x01\ufffe"])
def test_an_answer_is_well_formed_even_if_it_quotes_what_xml_cannot_carry(character):
    assert xml.read(xml.write("Error", [("Message", f"The query parameter {character} is given twice.")]))


@quick
@given(st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"])), max_size=5))
def test_what_is_written_has_one_line_per_element_and_no_prefix(texts):
    document = xml.write("ReceiptHandles", [("ReceiptHandle", text) for text in texts]).decode()
    assert document.split("\n")[2:-1] == [
        "  <ReceiptHandle>" + text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + "</ReceiptHandle>"
        for text in texts
    ]

"""Reading and writing XML, and refusing what is hostile.

Reading knows no DTD, so no entities but the five of XML itself; depth and number of elements are bounded. Element
names are local names: clients differ in their namespaces.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias
from xml.parsers import expat

from chalicelib.model import errors, limits

# Without the trailing slash: the Java SDK reads errors by exactly this name (section 2.3 of the protocol document).
NAMESPACE = "http://mns.aliyuncs.com/doc/v1"

# An element to write: its name and its text or its children.
Node: TypeAlias = tuple[str, "str | int | list[Node]"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# What text cannot hold as it is. XML cannot carry the illegal ones at all; only errors may quote them.
_ILLEGAL = (*range(0x09), *range(0x0B, 0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
_SPECIAL = dict.fromkeys(map(chr, _ILLEGAL), "\ufffd") | {"\r": "&#13;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ANY_SPECIAL = re.compile(f"[{re.escape(''.join(_SPECIAL))}]")
# Complete for ASCII, since a character that is not in the table costs several times as much.
_ASCII = str.maketrans({chr(code): chr(code) for code in range(0x80)} | _SPECIAL)
# Changes exactly what does not stand for itself; nothing else tells as quickly whether a text has any of it.
_MARKED = bytes(ord("?") if chr(code) in _SPECIAL else code for code in range(0x100))


@dataclass(kw_only=True, slots=True)
class Element:
    """An element that was read."""

    name: str
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def child(self, name: str) -> "Element | None":
        """The only child called `name`, None if there is none; InvalidArgument if there are several."""
        found = None
        for child in self.children:
            if child.name == name:
                if found is not None:
                    raise errors.InvalidArgument(f"The element {name} is given more than once.")
                found = child
        return found

    def each(self, name: str) -> Iterator["Element"]:
        """All children called `name`."""
        return (child for child in self.children if child.name == name)

    def string(self, name: str) -> str | None:
        """The text of the child called `name`, verbatim; InvalidArgument if it has elements inside."""
        found = self.child(name)
        if found is None:
            return None
        if found.children:
            raise errors.InvalidArgument(f"The element {name} should hold text only.")
        return found.text

    def integer(self, name: str) -> int | None:
        """The whole number in the child called `name`; InvalidArgument if it is none."""
        text = self.string(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text.strip()):
            raise errors.InvalidArgument(f"The value of {name} should be a whole number.")
        return int(text)

    def boolean(self, name: str) -> bool | None:
        """The truth value in the child called `name`, in any case; InvalidArgument if it is none."""
        text = self.string(name)
        if text is None:
            return None
        value = {"true": True, "false": False}.get(text.strip().lower())
        if value is None:
            raise errors.InvalidArgument(f"The value of {name} should be True or False.")
        return value


def read(body: bytes) -> Element:
    """The root element of a request's body.

    Raises:
        errors.InvalidArgument: the body is too large, too deep or has too many elements.
        errors.MalformedXML: it is not well-formed, not UTF-8, or has a DTD.
    """
    if len(body) > limits.REQUEST_BYTES:
        raise errors.InvalidArgument(f"The body has {len(body)} bytes, but {limits.REQUEST_BYTES} is the most.")
    if b"\0" in body:
        raise errors.MalformedXML("The body has a zero byte, so it is not XML in UTF-8.")
    reader = _Reader()
    # Without namespace processing: expat would write out each name with its namespace, however long the client made it.
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(body.decode(), True)  # noqa: FBT003  # strictly UTF-8, whatever else it says
    except (expat.ExpatError, ValueError) as error:
        raise errors.MalformedXML(f"The body is not well-formed XML: {error}.") from error
    return reader.root


def read_root(body: bytes, *names: str) -> Element:
    """The root element, which must be called one of `names`; InvalidArgument if it is not."""
    root = read(body)
    if root.name not in names:
        raise errors.InvalidArgument(f"The root element should be {' or '.join(names)}, but it is {root.name[:64]}.")
    return root


def write(root: str, children: list[Node], namespace: str = NAMESPACE) -> bytes:
    """A document, indented as MNS does it: Python SDKs before 1.3 need the white space before nested elements."""
    return document(root, lines(children, "  "), namespace)


def document(root: str, inside: str, namespace: str = NAMESPACE) -> bytes:
    """A document of the lines inside its root."""
    return f'<?xml version="1.0" ?>\n<{root} xmlns="{namespace}">\n{inside}</{root}>'.encode()


def lines(nodes: Iterable[Node], indent: str) -> str:
    """Elements, each beginning on a line of its own."""
    text = ""
    for name, content in nodes:
        if isinstance(content, str):
            text += f"{indent}<{name}>{escape(content)}</{name}>\n"
        elif isinstance(content, int):
            text += f"{indent}<{name}>{content}</{name}>\n"
        else:
            text += f"{indent}<{name}>\n{lines(content, indent + '  ')}{indent}</{name}>\n"
    return text


def is_plain(text: bytes) -> bool:
    """Whether a text stands for itself: it is ASCII, without what XML forbids, escapes or, as line ends, changes."""
    return text.isascii() and text.translate(_MARKED) == text


def escape(text: str) -> str:
    """Text as it is written; a table is fastest for ASCII, and by far the slowest for anything else.

    Most texts stand as they are, and to see that takes a third as long.
    """
    if text.isascii():
        return text if is_plain(text.encode()) else text.translate(_ASCII)
    return _ANY_SPECIAL.sub(lambda found: _SPECIAL[found[0]], text)


class _Reader:
    """Builds elements from parser events."""

    __slots__ = ("_count", "_open", "_texts", "root")

    root: Element

    def __init__(self) -> None:
        self._open: list[Element] = []
        self._texts: list[list[str]] = []  # of the open elements, in the pieces they come in
        self._count = 0

    def doctype(self, _name: str, _system: str | None, _public_id: str | None, _has_subset: int) -> None:
        raise errors.MalformedXML("The body has a document type declaration, which is not allowed.")

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= limits.XML_DEPTH or self._count > limits.XML_ELEMENTS:
            raise errors.InvalidArgument("The body has too many elements or they are too deep.")
        element = Element(name=tag.rpartition(":")[2])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def end(self, _tag: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def data(self, text: str) -> None:
        self._texts[-1].append(text)

"""XML as services write and read it: elements and text, one namespace, no attributes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from storagekit.testing.emulator.refusal import Refusal

Node = tuple[str, "str | Sequence[Node]"]
"""An element: its name, and its text or its children."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def render(node: Node, namespace: str = "") -> bytes:
    """Return a document."""
    name, content = node
    opened = f'{name} xmlns="{namespace}"' if namespace else name
    text = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<{opened}>{_inside(content)}</{name}>'
    return text.encode()


def _inside(content: str | Sequence[Node]) -> str:
    if isinstance(content, str):
        # What XML cannot hold is left out; a carriage return would be read as a line feed.
        return escape(_CONTROL.sub("\ufffd", content), {"\r": "&#13;"})
    return "".join(f"<{name}>{_inside(inner)}</{name}>" for name, inner in content)


def parse(data: bytes, root: str) -> ET.Element:
    """Return the root element, which has to be called ``root``; namespaces are dropped. Raises Refusal."""
    try:
        found = ET.fromstring(data)
    except ET.ParseError:
        found = None
    if found is not None:
        for element in found.iter():
            element.tag = element.tag.rpartition("}")[2]
    if found is None or found.tag != root:
        raise Refusal("MalformedXML", f"The XML you provided was not well-formed, or is no {root}.")
    return found


def text_of(element: ET.Element, name: str) -> str:
    """Return the text of a child. Raises Refusal where there is none."""
    child = element.find(name)
    if child is None or child.text is None:
        raise Refusal("MalformedXML", f"The XML you provided has no {name} where there has to be one.")
    return child.text

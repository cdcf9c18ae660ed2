"""Draw one SVG as PNG, in a process that may be lost.

A drawing is a small program: patterns in patterns or deep nesting can use any amount of memory, time or stack, and no
check of the text finds all of it. So this is called in readers alone, whose limits are the system's.

Nothing outside the drawing is read: scripts, foreign objects and references other than `#id` and `data:image/…` are
removed before the renderer sees the text.
"""

import re
import xml.etree.ElementTree as ET

import resvg_py

HARMFUL = {"script", "foreignObject", "iframe", "audio", "video", "handler", "listener", "set", "animate"}
HARMLESS_REFERENCE = re.compile(r"\s*(#|data:image/)", re.IGNORECASE)
# An address that never closes goes on to the end, as in browsers. No run is tried twice.
LOADING_CSS = re.compile(r"@import[^;]*+;?|url\(\s*+['\"]?+(?!\s*+['\"]?(?:#|data:image/))[^)]*+\)?", re.IGNORECASE)


def local_name(name: object) -> str:
    """Tag or attribute name without its namespace; comments and instructions have no name."""
    return name.rsplit("}", 1)[-1] if isinstance(name, str) else ""


def without_outside(svg: bytes) -> ET.Element:
    """The drawing as a tree in which nothing runs and nothing points outside of it. Entities are already spelt out."""
    root = ET.fromstring(svg)  # noqa: S314 - entities were checked before, and this process is limited
    for parent in list(root.iter()):
        for child in list(parent):
            if local_name(child.tag) in HARMFUL:
                parent.remove(child)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            name = local_name(key)
            is_outside = name in ("href", "src") and not HARMLESS_REFERENCE.match(value)
            if is_outside or name.lower().startswith("on") or name == "base":
                del element.attrib[key]
            elif "url(" in value.lower():
                element.attrib[key] = LOADING_CSS.sub("none", value)
        if local_name(element.tag) == "style" and element.text:
            element.text = LOADING_CSS.sub("", element.text)
    return root


def draw(svg: bytes, width: int, height: int) -> bytes:
    """The drawing as PNG with transparency. Raises ``ValueError`` for one that the renderer refuses."""
    root = without_outside(svg)
    if "viewBox" in root.attrib:
        # The renderer rounds the drawing's own size first; a logo of 20 mm would come out one percent too wide.
        root.set("width", str(width))
        root.set("height", str(height))
    has_text = any(local_name(element.tag) == "text" for element in root.iter())
    # Fonts are read from disk only when the drawing has live text: it takes longer than all the rest.
    png = resvg_py.svg_to_bytes(
        svg_string=ET.tostring(root, encoding="unicode"),
        width=width if width >= height else None,
        height=height if height > width else None,
        dpi=96,
        skip_system_fonts=not has_text,
    )
    return bytes(png)

"""Small PDFs written by hand, so that a test shows all that is in its document."""

from collections.abc import Sequence

FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
FIRST_OBJECT = 4
"""The number of the first of `objects` in `pdf`."""
SENTENCE = "It was the best of times, it was the worst of times"
"""42 characters without its spaces."""


def pdf(
    *contents: str,
    font: int = 3,
    box: str = "0 0 612 792",
    keys: str = "",
    resources: str = "",
    objects: Sequence[str] = (),
    catalog: str = "",
    trailer: str = "",
) -> bytes:
    """A PDF of one page per content stream.

    Args:
        font: the object that is font /F; number 3 is Helvetica.
        box: /MediaBox of every page.
        keys: more keys of every page.
        resources: more resources of every page.
        objects: numbered from `FIRST_OBJECT`.
    """
    first_page = FIRST_OBJECT + len(objects)
    numbers = range(first_page, first_page + 2 * len(contents), 2)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    bodies = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>",
        FONT,
        *objects,
    ]
    for number, content in zip(numbers, contents, strict=True):
        used = f"/Resources << /Font << /F {font} 0 R >> {resources} >>"
        page = f"/Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents {number + 1} 0 R"
        bodies += [f"<< {page} {used} {keys} >>", stream(content)]
    return assembled(bodies, trailer)


def assembled(bodies: Sequence[str], trailer: str = "") -> bytes:
    """Objects from number 1 on, with a cross-reference table; number 1 is the catalog."""
    written = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(written))
        written += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(offsets) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\n"
    return written + f"{end}startxref\n{len(written)}\n%%EOF\n".encode("latin-1")


def stream(content: str, keys: str = "") -> str:
    return f"<< /Length {len(content)} {keys} >>\nstream\n{content}\nendstream"


def line(x: float, y: float, text: str, *, size: float = 12) -> str:
    """A line of text, its baseline starting at (x, y)."""
    return f"BT /F {size} Tf {x} {y} Td ({text}) Tj ET\n"


def image(grey: int = 0) -> str:
    """An image of one pixel, to be drawn at any size."""
    return stream(f"{grey:02x}>", "/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 "
                                  "/ColorSpace /DeviceGray /Filter /ASCIIHexDecode")  # fmt: skip


def drawn(name: str, x: float, y: float, width: float, height: float) -> str:
    return f"q {width} 0 0 {height} {x} {y} cm /{name} Do Q\n"


def to_unicode(**mapping: str) -> str:
    """A ToUnicode map: `A="0041"` maps the byte of A to the UTF-16 code units in hexadecimal."""
    rows = "".join(f"<{ord(character):02x}> <{units}>\n" for character, units in mapping.items())
    return stream(
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /M def /CMapType 2 def\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(mapping)} beginbfchar\n{rows}endbfchar endcmap end end"
    )

"""Documents of every format, made by hand."""

from __future__ import annotations

import io
import zipfile

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
SHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LINK = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


def packed(**members: str | bytes) -> bytes:
    """A zip archive; `__` in a name stands for a slash, the last `_` for the dot."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            path, _, ending = name.rpartition("_")
            archive.writestr(f"{path.replace('__', '/')}.{ending}", text)
    return data.getvalue()


def paragraph(text: str, style: str = "") -> str:
    marks = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{marks}<w:r><w:t>{text}</w:t></w:r></w:p>"


def docx(body: str) -> bytes:
    return packed(word__document_xml=f"<w:document {WORD}><w:body>{body}</w:body></w:document>")


def xlsx(rows: str, shared: str = "") -> bytes:
    book = f'<workbook {SHEET} {LINK}><sheets><sheet name="Fares" sheetId="1" r:id="r1"/></sheets></workbook>'
    links = '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>'
    return packed(
        xl__workbook_xml=book,
        **{"xl___rels__workbook.xml_rels": links},
        xl__sharedStrings_xml=f"<sst {SHEET}>{shared}</sst>",
        xl__worksheets__sheet1_xml=f"<worksheet {SHEET}><sheetData>{rows}</sheetData></worksheet>",
    )


def epub(page: str) -> bytes:
    root = '<container><rootfiles><rootfile full-path="OEBPS/b.opf"/></rootfiles></container>'
    item = '<manifest><item id="c1" href="one%201.xhtml"/></manifest><spine><itemref idref="c1"/></spine>'
    members = {
        "META-INF__container_xml": root,
        "OEBPS__b_opf": f"<package>{item}</package>",
        "OEBPS__one 1_xhtml": page,
    }
    return packed(**members)


def pdf(*pages: str) -> bytes:
    """A PDF written by hand: one font, one line of text after another."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        lines = "".join(
            f"BT /F1 12 Tf 50 {700 - 20 * at} Td ({line}) Tj ET\n" for at, line in enumerate(text.split("\n"))
        )
        kids.append(f"{len(objects) + 1} 0 R")
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {len(objects) + 2} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(lines)} >>\nstream\n{lines}endstream",
        ]
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    data, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{each}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + (head + end).encode()

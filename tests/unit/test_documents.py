"""Documents really parsed: small real files of every format, built here, and files that mean harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_documents import WORD, docx, epub, packed, paragraph, pdf, xlsx

from qwenkit.reading import Unreadable, office, pages, text_of
from qwenkit.reading import packed as packing

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_plain_text_is_read_in_the_encodings_that_occur(encoding: str):
    assert text_of("notes.txt", "渡轮九点开。The ferry leaves.".encode(encoding)) == "渡轮九点开。The ferry leaves."


def test_markdown_stays_as_it_is():
    assert text_of("a.MD", b"# Fares\n\n| a | b |\n") == "# Fares\n\n| a | b |"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_csv_becomes_rows(mark: str):
    data = f'name{mark}fare\n"Dog{mark}small"{mark}1.00\n'.encode()
    cell = " ".join(f"Dog{mark}small".split())
    assert text_of("fares.csv", data) == f"name | fare\n{cell} | 1.00"


def test_json_must_be_json():
    assert text_of("a.json", json.dumps({"pier": "north"}).encode()) == '{"pier": "north"}'
    with pytest.raises(Unreadable, match="format is not supported"):
        text_of("a.json", b"{pier}")


def test_a_word_document_gives_headings_paragraphs_and_tables():
    row = "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>"
    cells = row.format(paragraph("Passenger"), paragraph("Fare")) + row.format(paragraph("Dog"), paragraph("1.00"))
    deleted = "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
    deleted = f"<w:p>{deleted}<w:r><w:t>kept</w:t><w:tab/><w:t>on</w:t></w:r></w:p>"
    text = text_of("a.docx", docx(paragraph("Fares", "Heading1") + f"<w:tbl>{cells}</w:tbl>" + deleted))
    assert text == "# Fares\n\nPassenger | Fare\nDog | 1.00\n\nkept\ton"


def test_a_spreadsheet_gives_its_cells_at_their_columns():
    shared = "<si><t>Passenger</t></si><si><r><t>Single </t></r><r><t>fare</t></r></si>"
    rows = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row><row r="2"/>'
        '<row r="3"><c r="A3" t="inlineStr"><is><t>Dog</t></is></c><c r="C3"><v>1.5</v></c></row>'
    )
    assert text_of("fares.xlsx", xlsx(rows, shared)) == "Fares\n\nPassenger |  | Single fare\nDog |  | 1.5"


def test_a_book_gives_its_chapters_without_scripts():
    body = "<h1>Tides</h1><p>High\nwater at <b>nine</b>.</p><script>no()</script>"
    page = f"<html><head><title>no</title></head><body>{body}</body></html>"
    assert text_of("tides.epub", epub(page)) == "# Tides\nHigh water at nine."


def test_a_pdf_gives_its_pages_with_lines_joined_to_paragraphs():
    text = text_of(
        "a.pdf", pdf("Weather\nAbove wind force ten no ferry sails at all and tickets\nare refunded in full.", "Next.")
    )
    assert text.split("\n\n") == [
        "# Weather",
        "Above wind force ten no ferry sails at all and tickets are refunded in full.",
        "Next.",
    ]


@pytest.mark.parametrize("name", ["handbook.pdf", "handbook.docx"])
def test_the_handbook_says_the_same_in_every_format(name: str):
    text = " ".join(text_of(name, (DATA / name).read_bytes()).split())
    for paragraph_ in (DATA / "handbook.md").read_text("utf-8").split("\n\n"):
        if not paragraph_.startswith(("#", "|")):
            assert " ".join(paragraph_.split()) in text


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.txt", b"  \n ", "content blank"),
        ("a.exe", b"MZ", "format is not supported"),
        ("noending", b"text", "format is not supported"),
        ("a.txt", b"\x00\x01\x02", "format is not supported"),
        ("a.txt", b"\xff\xff\xfe\x81", "format is not supported"),
        ("a.docx", b"not a zip", "format is not supported"),
        ("a.docx", packed(other_xml="<a/>"), "format is not supported"),
        ("a.xlsx", xlsx('<row><c r="A1" t="s"><v>7</v></c></row>'), "format is not supported"),
        ("a.epub", packed(a_txt="x"), "format is not supported"),
        ("a.pdf", b"%PDF-1.4\nbroken", "format is not supported"),
        ("a.pdf", pdf(""), "content blank"),
        ("a.mobi", b"BOOK", "does not read MOBI"),
        ("scan.PNG", b"\x89PNG", "reads no text in pictures"),
        ("a.json", b"[" * 100_000, "format is not supported"),
    ],
)
def test_what_cannot_be_read_says_why(name: str, data: bytes, why: str):
    with pytest.raises(Unreadable, match=why):
        text_of(name, data)


def test_a_zip_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packing, "MOST_UNPACKED", 1_000_000)
    bomb = docx(paragraph("a" * 2_000_000))
    assert len(bomb) < 10_000
    with pytest.raises(Unreadable, match="exceeds size limit"):
        text_of("a.docx", bomb)


def test_a_spreadsheet_of_nothing_but_width_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(office, "MOST_CELLS", 20_000)
    wide = '<row><c r="ZZZ1"><v>1</v></c></row>' * 3
    with pytest.raises(Unreadable, match="exceeds size limit"):
        text_of("a.xlsx", xlsx(wide))


@pytest.mark.parametrize("reference", ["&lol;", "&file;"])
def test_xml_that_declares_entities_is_not_read(reference: str):
    declared = '<!DOCTYPE d [<!ENTITY lol "lol"><!ENTITY file SYSTEM "file:///etc/hostname">]>'
    body = f"<w:document {WORD}><w:body>{paragraph(reference)}</w:body></w:document>"
    with pytest.raises(Unreadable, match="format is not supported"):
        text_of("a.docx", packed(word__document_xml=declared + body))


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "MOST_PAGES", 1)
    with pytest.raises(Unreadable, match=r"exceeds page limits \(1 pages\)"):
        text_of("a.pdf", pdf("One.", "Two."))

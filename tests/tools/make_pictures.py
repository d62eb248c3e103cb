"""Makes the pictures of `data/` again, and what the sandbox knows of them: `python tests/tools/make_pictures.py`.

Needs DejaVu Sans and Noto Sans CJK for the letters; the pictures are committed, so only a change needs this.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from qwenkit.sandbox import painter
from qwenkit.sandbox.hues import colours
from qwenkit.sandbox.known_pictures import fingerprint

DATA = Path(__file__).parents[2] / "data"
SHELF = Path(painter.__file__).parent / "data" / "pictures.json"
MOST = 60_000
SMOOTH = 2

RECEIPT = """LAKESIDE CAFE
Receipt No. 0042
Date: 2026-03-14 12:30
2 x Noodle soup  56.00
1 x Green tea  12.00
1 x Sesame cake  18.00
Subtotal: 86.00 CNY
Service: 4.00 CNY
Total: 90.00 CNY
Paid by card"""
CHART = {"Mon": 120, "Tue": 180, "Wed": 150, "Thu": 210, "Fri": 260, "Sat": 340, "Sun": 300}
CHART_TITLE = "Ferry passengers per day"
SIGN = "渡口\n往湖心岛\n首班 07:30\n末班 21:00\n票价 12 元"
TITLES = {
    "plate": ("the plate of the sample pictures: food in coloured shapes", "示例图片中的盘子：用彩色图形画的食物"),
    "shapes": ("the sheet of shapes of the sample pictures", "示例图片中的图形页"),
    "street": ("the street of the sample pictures", "示例图片中的街道"),
    "receipt": ("the receipt of the sample pictures", "示例图片中的小票"),
    "chart": ("the bar chart of the sample pictures", "示例图片中的柱状图"),
    "sign.zh": ("the Chinese ferry sign of the sample pictures", "示例图片中的渡口牌"),
}
TEXTS = {
    "receipt": RECEIPT,
    "chart": "\n".join([CHART_TITLE, *(f"{day}: {many}" for day, many in CHART.items())]),
    "sign.zh": SIGN,
    "street": "MARKET STREET",
}


def tint(name: str) -> tuple[int, int, int]:
    return colours()[name].tints[0]


def letters(size: int, chinese: bool = False, bold: bool = False) -> ImageFont.FreeTypeFont:
    latin = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype("NotoSansCJK-Bold.ttc" if chinese else latin, size * SMOOTH)


def sheet(width: int, height: int, colour: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width * SMOOTH, height * SMOOTH), colour)
    return image, ImageDraw.Draw(image)


def at(*places: float) -> list[float]:
    return [place * SMOOTH for place in places]


def plate() -> Image.Image:
    image, pen = sheet(640, 480, (150, 104, 66))
    for row in range(0, 480, 60):
        pen.rectangle(at(0, row, 640, row + 2), fill=(132, 90, 56))
    pen.ellipse(at(112, 40, 528, 456), fill=(214, 216, 220))
    pen.ellipse(at(118, 40, 522, 448), fill=(250, 250, 250))
    pen.ellipse(at(158, 80, 482, 408), fill=(240, 242, 245))
    for x, y in ((230, 160), (300, 140), (262, 222)):
        pen.ellipse(at(x - 32, y - 32, x + 32, y + 32), fill=tint("red"))
    for x, y in ((390, 330), (418, 312), (404, 360), (434, 344), (376, 360)):
        pen.ellipse(at(x - 12, y - 12, x + 12, y + 12), fill=tint("green"))
    pen.polygon(at(220, 300, 340, 318, 220, 344), fill=tint("orange"))
    pen.polygon(at(230, 350, 330, 350, 330, 380, 230, 380), fill=tint("brown"))
    pen.ellipse(at(360, 150, 456, 246), fill=tint("yellow"))
    for x in (60, 574):
        pen.rectangle(at(x, 120, x + 10, 380), fill=(190, 194, 200))
    return image


def shapes() -> Image.Image:
    image = Image.new("RGB", (1280, 960), "white")
    for kind, colour, x, y, side in (
        ("circle", "red", 90, 100, 220),
        ("circle", "red", 400, 160, 170),
        ("circle", "red", 130, 600, 260),
        ("square", "blue", 700, 110, 210),
        ("square", "blue", 520, 560, 170),
        ("triangle", "green", 960, 130, 240),
        ("star", "yellow", 830, 520, 320),
    ):
        figure = painter.tile(kind, side, colour)
        image.paste(figure, (x, y), figure)
    return image


def street() -> Image.Image:
    prompt = "a city by day with a red car, a yellow bus, two trees on the right, the sun and two clouds"
    drawn = painter.sketch(prompt, (1280, 800), 3)
    image = Image.fromarray(drawn.behind.canvas.clip(0, 255).astype("uint8"))
    for each in drawn.placed:
        painter.put(image, each)
    pen = ImageDraw.Draw(image)
    pen.rectangle(at(40, 180, 48, 372), fill=(90, 94, 100))
    pen.rectangle(at(16, 142, 216, 182), fill=(36, 92, 60))
    pen.text(at(116, 162), "MARKET STREET", font=letters(20, bold=True), fill="white", anchor="mm")
    return image


def receipt() -> Image.Image:
    image, pen = sheet(400, 560, (164, 150, 134))
    pen.rectangle(at(30, 24, 370, 536), fill="white")
    for row, line in enumerate(RECEIPT.splitlines()):
        name, gap, price = line.partition("  ")
        y, bold = 62 + row * 48, row == 0 or line.startswith("Total")
        pen.text(at(50, y), name, font=letters(20, bold=bold), fill=(30, 32, 36), anchor="lm")
        pen.text(at(350, y), price, font=letters(20), fill=(30, 32, 36), anchor="rm") if gap else None
        if line.startswith(("Subtotal", "Total")):
            pen.line(at(50, y - 24, 350, y - 24), fill=(150, 152, 156), width=SMOOTH)
    return image


def chart() -> Image.Image:
    image, pen = sheet(640, 420, (255, 255, 255))
    pen.text(at(320, 32), CHART_TITLE, font=letters(22, bold=True), fill=(30, 32, 36), anchor="mm")
    for place, (day, many) in enumerate(CHART.items()):
        x, top = 70 + place * 76, 360 - many * 0.8
        pen.rectangle(at(x, top, x + 48, 360), fill=tint("blue" if day not in ("Sat", "Sun") else "orange"))
        pen.text(at(x + 24, 382), day, font=letters(16), fill=(60, 62, 66), anchor="mm")
        pen.text(at(x + 24, top - 14), str(many), font=letters(15), fill=(60, 62, 66), anchor="mm")
    pen.line(at(54, 360, 604, 360), fill=(60, 62, 66), width=2 * SMOOTH)
    return image


def sign() -> Image.Image:
    image, pen = sheet(520, 400, (176, 208, 226))
    pen.rectangle(at(0, 300, 520, 400), fill=(116, 158, 84))
    pen.rectangle(at(120, 60, 400, 340), fill=(36, 84, 150))
    pen.rectangle(at(128, 68, 392, 332), outline=(245, 246, 248), width=3 * SMOOTH)
    for row, line in enumerate(SIGN.splitlines()):
        pen.text(
            at(260, 108 + row * 46), line, font=letters(38 if row == 0 else 28, chinese=True), fill="white", anchor="mm"
        )
    return image


def main() -> None:
    makers = {"plate": plate, "shapes": shapes, "street": street, "receipt": receipt, "chart": chart, "sign.zh": sign}
    told = []
    for name, make in makers.items():
        image = make()
        image = image.resize((image.width // SMOOTH, image.height // SMOOTH), Image.Resampling.BOX)
        flat = image.quantize(128, dither=Image.Dither.NONE) if name == "street" else image
        content = io.BytesIO()
        flat.save(content, "PNG", optimize=True)
        assert len(content.getvalue()) <= MOST, (name, len(content.getvalue()))
        (DATA / f"{name}.png").write_bytes(content.getvalue())
        title, title_zh = TITLES[name]
        print_ = [round(each) for each in fingerprint(image)]
        ratio = round(image.width / image.height, 4)
        told.append(
            {
                "name": name,
                "title": title,
                "title_zh": title_zh,
                "text": TEXTS.get(name, ""),
                "ratio": ratio,
                "print": print_,
            }
        )
    rows = ",\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in told)
    SHELF.write_text(f"[\n{rows}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The sandbox's vectors: alike texts are near, in one language and across two, and the same text is the same bytes."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from qwenkit.sandbox import senses, vectors

# A text, one that says much the same, and one that does not.
ALIKE = [
    ("The cat sat on the mat", "A kitten is sitting on a mat", "Share prices fell sharply"),
    ("The cat sat on the mat", "一只猫坐在垫子上", "股票价格大幅下跌"),
    ("How do I reset my password?", "如何重置密码？", "做面包需要酵母和面粉"),
    ("The ferry leaves the harbour at nine", "渡轮九点离开港口", "My dog likes apples"),
    ("It is raining heavily today", "今天下大雨", "The bank raised its interest rates"),
    ("car repair", "automobile maintenance", "swimming pool"),
    ("什么是人工智能", "What is artificial intelligence?", "北京烤鸭怎么做"),
    ("发票怎么开", "How do I get an invoice?", "周末去哪里爬山"),
    ("The moon pulls on the sea", "月亮吸引海水", "a contract with the company"),
    ("I love cooking Italian pasta", "我喜欢做意大利面条", "The election was in May"),
    ("the harbour is nine metres deep", "港口水深九米", "he plays the violin"),
    ("今天天气怎么样", "明天的天气预报", "怎么退货"),
    ("accomodation near the airport", "accommodation near an airport", "a poem about autumn"),
]
SIZES = (64, 128, 256, 512, 768, 1024, 1536, 2048, 2560)
words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=80)


def cosine(one: str, other: str, size: int = 1024) -> float:
    return float(vectors.dense(vectors.of_text(one), size) @ vectors.dense(vectors.of_text(other), size))


@pytest.mark.parametrize("size", [256, 1024, 2048])
@pytest.mark.parametrize(("text", "near", "far"), ALIKE)
def test_alike_is_nearer_than_unlike(text: str, near: str, far: str, size: int):
    assert cosine(text, near, size) > cosine(text, far, size) + 0.15
    assert cosine(near, text, size) > cosine(near, far, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_vector_has_the_size_asked_for_and_length_one(size: int):
    vector = vectors.dense(vectors.of_text("潮汐 tide table"), size)
    assert vector.shape == (size,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-12)
    assert np.count_nonzero(vector) > 20


@given(words, st.sampled_from(SIZES))
def test_whatever_the_text_its_vector_is_finite_and_of_length_one(text: str, size: int):
    vector = vectors.dense(vectors.of_text(text), size)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1.0)


@given(words)
def test_the_same_text_is_the_same_vector(text: str):
    assert vectors.dense(vectors.of_text(text), 256).tobytes() == vectors.dense(vectors.of_text(text), 256).tobytes()


def test_width_and_case_do_not_count():
    assert cosine("Ｔｉｄｅ　ＴＡＢＬＥ", "tide table") == pytest.approx(1.0)


def test_a_query_stays_close_to_the_same_document_and_is_not_the_same():
    plain = vectors.of_text("tide table")
    for asked in (
        vectors.of_text("tide table", query=True),
        vectors.of_text("tide table", query=True, instruct="Find harbour documents"),
    ):
        assert 0.9 < vectors.likeness(plain, asked) < 1.0


def test_repetition_counts_by_its_logarithm():
    once, often = vectors.of_text("tide harbour"), vectors.of_text("tide " * 50 + "harbour")
    assert once["t:tid"] < often["t:tid"] < 6 * once["t:tid"]
    assert often["t:harbour"] == once["t:harbour"]


def test_another_process_gives_the_same_numbers():
    code = "from qwenkit.sandbox import vectors as v; print(v.dense(v.of_text('潮汐 tide'), 64).round(12).tolist())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(vectors.dense(vectors.of_text("潮汐 tide"), 64).round(12).tolist())


def test_a_sparse_vector_names_its_terms_heaviest_first():
    terms = vectors.sparse("tide table, tide gauge, 潮汐")
    assert terms[0]["token"] == "tide"
    assert {"table", "gauge", "潮汐"} <= {term["token"] for term in terms}
    assert terms[0]["value"] > terms[1]["value"] > 0
    assert len({term["index"] for term in terms}) == len(terms)
    assert vectors.sparse("?!") == []


# -- pictures -----------------------------------------------------------------------------------------------------


def picture(colour: str, size: tuple[int, int] = (90, 60), stripes: bool = False) -> bytes:
    image = Image.new("RGB", size, colour)
    if stripes:
        for left in range(0, size[0], 8):
            image.paste("white", (left, 0, left + 3, size[1]))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_picture_is_near_the_word_for_its_colour_in_both_languages():
    red, blue = (vectors.of_picture(picture(colour)).features for colour in ("red", "blue"))
    for word in ("a red boat", "红色的船"):
        assert vectors.likeness(red, vectors.of_text(word)) > vectors.likeness(blue, vectors.of_text(word)) + 0.2


def test_pictures_are_compared_by_what_they_show():
    plain, larger, striped, blue = (
        vectors.of_picture(data).features
        for data in (picture("red"), picture("red", (200, 300)), picture("red", stripes=True), picture("blue"))
    )
    assert vectors.likeness(plain, larger) > vectors.likeness(plain, striped) > vectors.likeness(plain, blue)


def test_the_size_of_a_picture_is_measured():
    measured = vectors.of_picture(picture("green", (123, 45)))
    assert (measured.width, measured.height) == (123, 45)


@pytest.mark.parametrize("data", [b"", b"no picture", picture("red")[:60], b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused(data: bytes):
    with pytest.raises(ValueError, match="cannot be read"):
        vectors.of_picture(data)


def test_joined_things_count_alike_whatever_their_length():
    long, short = vectors.of_text("harbour " + "pier crane quay gull mast " * 20), vectors.of_text("bread")
    both = vectors.joined([long, short])
    assert vectors.likeness(both, long) == pytest.approx(vectors.likeness(both, short), abs=0.02)


def test_every_line_of_the_list_of_senses_has_its_own_name():
    names = [line.split()[0] for line in senses._read("senses.txt").splitlines() if not line.startswith("#")]
    assert len(names) > 400
    assert len(names) == len(set(names))
    assert all(len(each) == len(set(each)) for each in senses.senses().values())

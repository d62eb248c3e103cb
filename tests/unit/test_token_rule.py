"""The token rule: lossless for any text, quick, and close to the vocabulary that the official SDK ships."""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit.catalogue import tokens

ANSWER = (
    "我是千问,阿里巴巴集团旗下的通义实验室自主研发的超大规模语言模型。我可以帮助你回答问题、创作文字,比如写故事、写公文、写邮件、写剧本、逻辑推理、编程等等,"
    "还能表达观点,玩游戏等。如果你有任何问题或需要帮助,欢迎随时告诉我!"
)  # fmt: skip
ENGLISH = (
    "The lighthouse keeper counted the ships twice every evening, once when the lamps were lit and once more before "
    "the fog came in. Nobody had ever asked him to do it, but he kept the numbers in a small notebook, and on quiet "
    "nights he compared them with the year before. Trade was changing: fewer sails, more smoke, and the names painted "
    "on the sterns came from harbours he could not find on his map."
)
CHINESE = (
    "春天来了，公园里的花都开了，孩子们在草地上放风筝。老人坐在长椅上看报纸，偶尔抬头看看天空。附近的咖啡店新推出了一种饮料，"
    "很多年轻人排队购买。城市的节奏很快，但是在这里，时间好像慢了下来，大家都愿意多停留一会儿。"
)
CODE = """def read(path: str, *, limit: int = 100) -> list[str]:
    with open(path, encoding="utf-8") as stream:
        return [line.rstrip() for line in stream][:limit]
"""
ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    "aZ é9 _(.,、的中文写\n\r\t😀\u200d\ufe0f한かЖع\ud800\x00"
)


@given(ANY_TEXT)
def test_the_pieces_join_to_the_text(text: str) -> None:
    pieces = tokens.split(text)
    assert "".join(pieces) == text
    assert all(pieces)
    assert tokens.count(text) == len(pieces)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("Hello world", ["Hello", " world"]),
        ("I'm here", ["I", "'m", " here"]),
        ("2026", ["2", "0", "2", "6"]),
        ("helloWorld", ["hello", "World"]),
        ("print(self, my_name)", ["print", "(self", ",", " my", "_name", ")"]),
        ("internationalisation", ["internatio", "nalisation"]),
        ("你好", ["你好"]),
        ("我们的模型", ["我们", "的", "模型"]),
        ("a\n\nb", ["a", "\n\n", "b"]),
        ("x    y", ["x", "   ", " y"]),
        ("--------", ["--------"]),
        ("你好，世界！", ["你好", "，", "世界", "！"]),
        ("ok 😀", ["ok", " ", "😀"]),
    ],
)
def test_the_rule_by_example(text: str, pieces: list[str]) -> None:
    assert tokens.split(text) == pieces


def test_the_founding_samples_are_within_ten_percent() -> None:
    assert tokens.count(ANSWER) == pytest.approx(66, rel=0.1)
    prompt = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "你是谁?"}]
    assert tokens.count_messages(prompt) == pytest.approx(26, rel=0.1)
    assert tokens.count_messages([{"role": "user", "content": "你好"}]) == 11


def test_messages_count_their_text_parts_and_tool_calls() -> None:
    def count(**message: Any) -> int:
        return tokens.count_messages([{"role": "user", **message}])

    assert count(content=[{"type": "text", "text": "Hello world"}]) == count(content="Hello world")
    assert count(content=[{"type": "image_url", "image_url": {"url": "data:…"}}]) == count(content="")
    assert count(content=None) == count(content="") == count()
    assert count(content=["Hello"]) == count(content="Hello")
    call = {"id": "call_1", "type": "function", "function": {"name": "rain_now", "arguments": '{"town": "Oslo"}'}}
    assert count(content="", tool_calls=[call]) == count(content="rain_now") + tokens.count('{"town": "Oslo"}')


@pytest.mark.parametrize("piece", ["word ", "中文", " ", "\n ", "-", "1", "😀", "\ud800", "aB"])
def test_long_runs_stay_lossless(piece: str) -> None:
    text = piece * 20_000
    assert "".join(tokens.split(text)) == text


def vocabulary() -> Path | None:
    spec = importlib.util.find_spec("dashscope")
    place = Path(spec.origin).parent / "resources" / "qwen.tiktoken" if spec and spec.origin else None
    return place if place and place.exists() else None


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    tiktoken = pytest.importorskip("tiktoken")
    place = vocabulary()
    if place is None:
        pytest.skip("this dashscope ships no vocabulary")
    pairs = (line.split() for line in place.read_bytes().splitlines() if line)
    return tiktoken.Encoding(
        "qwen",
        pat_str=r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        mergeable_ranks={base64.b64decode(piece): int(rank) for piece, rank in pairs},
        special_tokens={},
    )


@pytest.mark.parametrize(
    ("text", "within"),
    [(ANSWER, 0.1), (ENGLISH, 0.05), (CHINESE, 0.15), (CODE, 0.1)],
    ids=["answer", "en", "zh", "code"],
)
def test_the_rule_is_close_to_the_real_vocabulary(tokenizer: Any, text: str, within: float) -> None:
    assert tokens.count(text) == pytest.approx(len(tokenizer.encode_ordinary(text)), rel=within)

r"""A model's markdown: what becomes a formula and what stays money, code, tables, and where the caps are."""

from __future__ import annotations

import pytest
from inert import read

from qwenkit.display.markdown import MAX_CHARS, MAX_LINES, markdown
from qwenkit.display.mathematics import MAX_FORMULA
from qwenkit.display.text import clean, clip, columns, line

_OPEN = 'class="qk-math mathjax_process tex2jax_process"'


def formulas(text: str) -> list[str]:
    """What the page's MathJax is given."""
    html = markdown(text)
    read(html)
    return [part.partition("</")[0].partition(">")[2] for part in html.split(_OPEN)[1:]]


@pytest.mark.parametrize("source", ["$x^2$", "$$x^2$$", r"\(x^2\)", r"\[x^2\]"])
def test_each_delimiter_opens_a_formula(source: str) -> None:
    assert formulas(f"before {source} after") == [source]
    assert formulas(source) == [source]


def test_markdown_does_not_touch_a_formula() -> None:
    source = r"\(a_1 * b_2 * c \\ [x](y) \_\)"
    assert formulas(f"so {source} it is") == [source]


def test_a_formula_block_may_hold_lines_that_look_like_markdown() -> None:
    source = "$$\na\n- b\n= c\n===\n# d\n$$"
    assert formulas(f"text:\n{source}\nmore") == [source]


def test_a_formula_block_lives_in_a_list() -> None:
    assert formulas("- one\n  $$\n  x\n  $$\n- two") == ["$$\nx\n$$"]


def test_chinese_text_puts_no_space_around_a_formula() -> None:
    assert formulas("其中$x_1$是变量，$y$为结果。") == ["$x_1$", "$y$"]


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "US$5, HK$6, A$7",
        "$5-$6",
        "from $5, or 10$ at most",
        "$ x $",
        "a$b$c",
        r"\$5 and \$6",
        "`$x$`",
        "```\n$x$\n```",
        "$$",
        "$$ $$",
        "an open $x",
        r"an open \( x and \[ y",
    ],
)
def test_money_and_code_are_no_formulas(text: str) -> None:
    assert formulas(text) == []


@pytest.mark.parametrize(
    "macro", ["href", "class", "style", "require", "def", "newcommand", "unicode", "DeclareMathOperator"]
)
def test_a_formula_that_programs_is_shown_as_source(macro: str) -> None:
    html = markdown(rf"$\{macro}{{a}}{{b}}$")
    assert formulas(rf"$\{macro}{{a}}{{b}}$") == []
    assert rf'<code class="qk-refused">$\{macro}' in html


def test_harmless_macros_that_begin_like_dangerous_ones_pass() -> None:
    source = r"$\definition \delta \leftarrow \inputs \classes$"
    assert formulas(source) == [source]


def test_a_label_is_taken_out_because_a_live_card_is_drawn_often() -> None:
    assert formulas(r"$$x \label{eq:1}$$") == ["$$x $$"]


def test_an_endless_formula_is_shown_as_source() -> None:
    assert formulas("$" + "x" * MAX_FORMULA + "$") == []
    assert formulas("$$\n" + "x\n" * MAX_FORMULA + "$$") == []


def test_headings_stay_out_of_the_table_of_contents() -> None:
    assert markdown("## Two") == '<p class="qk-h qk-h2"><strong>Two</strong></p>\n'


def test_a_fence_keeps_its_language_and_nothing_else() -> None:
    assert '<code class="language-c++">a &lt; b</code>' in markdown('```c++ title="x"\na < b\n```')


def test_a_table_scrolls_in_a_box_of_its_own() -> None:
    html = markdown("| a | b |\n|:--|--:|\n| 1 | 2 |")
    assert html.startswith('<div class="qk-scroll"><table>')
    assert '<td style="text-align:right">2</td>' in html


def test_a_single_line_end_is_kept() -> None:
    assert "one<br>\ntwo" in markdown("one\ntwo")


def test_a_long_text_ends_in_a_count_of_the_rest() -> None:
    assert markdown("x" * (MAX_CHARS + 1500)).endswith('<p class="qk-note">… 1,500 more characters</p>')
    assert "… 214 more lines" in markdown("a\n" * (MAX_LINES + 213) + "b")


def test_nothing_is_nothing() -> None:
    assert markdown("") == ""


def test_clip_cuts_at_whichever_limit_comes_first() -> None:
    assert clip("abc", 3) == ("abc", "")
    assert clip("abcd", 3) == ("abc", "… 1 more characters")
    assert clip("a\nb\nc\nd", 99, 2) == ("a\nb", "… 2 more lines")


def test_line_is_one_line() -> None:
    assert line("a\n\tb", 10) == "a b"
    assert line("abcdef", 4) == "abc…"


def test_columns_count_chinese_twice() -> None:
    assert columns([["天空", "1"], ["sky", "22"]], frozenset({1})) == "天空   1\nsky   22"


def test_clean_gives_one_kind_of_line_end() -> None:
    assert clean("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


@pytest.mark.parametrize(
    "source",
    [
        r"$\kern-60em x$",
        r"$\hspace{-60em} x$",
        r"$a\\[-90em] b$",
        r"$\mathllap{x}$",
        r"$\smash{x}$",
        r"$\mskip -9mu x$",
    ],
)
def test_a_formula_cannot_draw_over_what_stands_around_it(source: str):
    assert "qk-refused" in markdown(source)


@pytest.mark.parametrize("source", [r"$a\hspace{1em}b$", r"$x - y$", r"$a\\b$", r"$e^{-x}$", r"$\kern1em x$"])
def test_lengths_that_lead_forward_are_typeset(source: str):
    assert "mathjax_process" in markdown(source)

"""What the mind says: each faculty in English and Chinese, read as a learner would."""

from __future__ import annotations

import ast
import datetime
from typing import Any

import pytest

from qwenkit.sandbox.mind import Prompt, Sampling, answer

TODAY = datetime.date(2026, 11, 21)
Message = dict[str, Any]


def conversation(*texts: str, system: str = "") -> list[Message]:
    """Texts by turns: the user begins."""
    roles = ("user", "assistant")
    start: list[Message] = [{"role": "system", "content": system}] if system else []
    return start + [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]


def say(*texts: str, system: str = "", **options: Any) -> str:
    options.setdefault("sampling", Sampling(temperature=0))
    return answer(Prompt(conversation(*texts, system=system), today=TODAY, **options)).text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who are you?", "I am the qwenkit sandbox"),
        ("Are you Qwen?", "I am not Qwen"),
        ("Which model are you using?", "I am the qwenkit sandbox"),
        ("你是谁?", "我是 qwenkit 沙箱"),
        ("你是千问吗？", "我不是千问"),
        ("What can you do?", "calling your tools"),
        ("你会什么?", "调用你提供的工具"),
        ("Hello!", "Hello!"),
        ("你好", "你好！"),
        ("天气怎么样?", "我无法查看实时天气"),
        ("What's the weather in Paris?", "I cannot look at the weather"),
    ],
)
def test_it_says_what_it_is(question: str, expected: str) -> None:
    assert expected in say(question)


def test_it_plays_a_part_and_says_who_plays() -> None:
    text = say("Who are you?", system="You are Captain Nemo, commander of a submarine.")
    assert "Captain Nemo" in text
    assert "sandbox" in text
    assert "part to play" not in say("Who are you?", system="You are a helpful assistant.")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is 17 * 23?", "17 × 23 = 391"),
        ("12加30等于多少", "12 + 30 = 42"),
        ("(12+8)*3-5", "(12 + 8) × 3 - 5 = 55"),
        ("What is 12% of 80?", "12% × 80 = 9.6"),
        ("百分之十五乘以200是多少", "= 30"),
        ("twenty three plus nineteen", "= 42"),
        ("三十二乘以五等于几", "= 160"),
        ("1/3 + 1/6", "= 0.5"),
        ("10 / 4", "= 2.5"),
        ("What is 10 divided by 3?", "≈ 3.333333"),
        ("What is the square root of 144?", "√144 = 12"),
        ("2^100", "1267650600228229401496703205376"),
        ("5!", "= 120"),
        ("2的10次方", "2^10 = 1024"),
        ("what is 5 / 0", "no result"),
        ("9^99999", "too large"),
        ("Solve 2x + 3 = 11", "x = 4"),
        ("Which is larger, 9.11 or 9.9?", "9.9 is larger than 9.11."),
        ("9.11和9.9哪个小？", "9.11 比 9.9 小"),
        ("Is 7 greater than 12?", "No, 12 is larger than 7."),
        ("Is 97 prime?", "Yes, 97 is a prime"),
        ("91是质数吗？", "91 = 7 × 13"),
        ("Name a prime above 40.", "41"),
        ("List the first 5 prime numbers", "2, 3, 5, 7, 11"),
        ("average of 3, 5 and 10", "6"),
        ("1、2、3、4的平均数", "2.5"),
        ("the sum of 1, 2 and 3", "6"),
        ("Sort these numbers: 5, 3, 9", "3, 5, 9"),
        ("gcd of 12 and 18", "6"),
        ("Ada has 5 apples, buys 3 and eats 2. How many apples does she have?", "5 + 3 - 2 = 6"),
        ("小明有5个苹果，又买了3个，吃了2个，还剩几个？", "= 6"),
        ("3 boxes with 12 pencils each: how many pencils?", "= 36"),
        ("10 km in miles", "6.21 mi"),
        ("100华氏度是多少摄氏度", "37.78 °C"),
        ("how many centimetres are in an inch?", "2.54 cm"),
    ],
)
def test_it_works_things_out(question: str, expected: str) -> None:
    assert expected in say(question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what day is 2026-11-21", "Saturday"),
        ("2026年11月21日是星期几", "星期六"),
        ("What day is tomorrow?", "22 November 2026 is a Sunday"),
        ("今天是几号？", "2026年11月21日"),
        ("How many days until Christmas?", "34 days"),
        ("How many days between 1 January 2026 and March 1, 2026?", "59 days"),
        ("从2026年1月1日到2026年3月1日有多少天？", "59 天"),
        ("what date is 10 days from today?", "1 December 2026"),
        ("3天后是星期几？", "星期二"),
        ("Is 2028 a leap year?", "Yes, 2028"),
        ("1900年是闰年吗？", "不是"),
        ("What time is it?", "no clock"),
        ("what day is 2026-02-30", "no such day"),
    ],
)
def test_it_counts_days_from_the_date_it_was_given(question: str, expected: str) -> None:
    assert expected in say(question)


def test_a_following_sum_uses_the_answer_before() -> None:
    assert "391 × 2 = 782" in say("What is 17*23?", "17 × 23 = 391", "times 2")
    assert "42 + 10 = 52" in say("12加30", "答案是 42。", "再加10")


HISTORY = (
    "My name is Ada and I live in Oslo.",
    "Hello!",
    "My favourite colour is teal. I like tea. My dog is called Rex.",
    "Noted.",
)
HISTORY_ZH = ("我叫小明，我今年12岁。", "你好！", "我喜欢足球。请记住数字42。我的猫叫团团。", "好的")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is my name?", "Ada"),
        ("Who am I?", "Ada"),
        ("Where do I live?", "Oslo"),
        ("What's my favorite color?", "teal"),
        ("What colour do I like?", "teal"),
        ("What do I like?", "tea"),
        ("What is my dog's name?", "Rex"),
        ("How old am I?", "not told me your age"),
        ("What did I say first?", "My name is Ada and I live in Oslo."),
        ("What did you just say?", "Noted."),
        ("How many questions have I asked?", "2"),
    ],
)
def test_it_recalls_what_was_said(question: str, expected: str) -> None:
    assert expected in say(*HISTORY, question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("我叫什么名字？", "小明"),
        ("我几岁？", "12"),
        ("我喜欢什么？", "足球"),
        ("数字是多少？", "42"),
        ("我的猫叫什么？", "团团"),
        ("我住在哪里？", "还没有告诉我你的住处"),
        ("我第一句说了什么？", "我叫小明"),
    ],
)
def test_it_recalls_in_chinese(question: str, expected: str) -> None:
    assert expected in say(*HISTORY_ZH, question)


def test_the_latest_fact_counts_and_nothing_is_remembered_between_requests() -> None:
    assert "Bob" in say("My name is Ada.", "Hello", "No, my name is Bob.", "Hello", "What is my name?")
    assert "not told me your name" in say("What is my name?")
    assert "no earlier message" in say("What did I just say?")


def test_it_sums_up_the_conversation() -> None:
    text = say(*HISTORY, "Summarise our conversation")
    assert text.count("\n- ") == 4
    assert "you: My name is Ada" in text


def test_it_acknowledges_what_it_is_told() -> None:
    assert "Nice to meet you, Ada" in say("My name is Ada.")
    assert "小明" in say("我叫小明")
    assert "teal" in say("My favourite colour is teal.")


FERRY = (
    "You are a helpful assistant for the Northwind ferry. The ferry leaves at nine on weekdays. Tickets cost 12 euros. "
    "Refunds are possible up to one day before departure."
)
FERRY_ZH = "根据以下资料回答：渡轮每天九点出发。票价十二元。狗可以上甲板。"


@pytest.mark.parametrize(
    ("question", "system", "expected"),
    [
        ("When does the ferry leave?", FERRY, "The ferry leaves at nine on weekdays."),
        ("How much is a ticket?", FERRY, "Tickets cost 12 euros."),
        ("Can I get a refund?", FERRY, "Refunds are possible up to one day before departure."),
        ("What colour is the ship? Answer only from the text.", FERRY, "I found nothing in the text that matches."),
        ("How many euros does a ticket cost? Answer with a number only.", FERRY, "12"),
        ("渡轮几点出发？", FERRY_ZH, "渡轮每天九点出发。"),
        ("票价多少？", FERRY_ZH, "票价十二元。"),
        ("船是什么颜色？", FERRY_ZH, "我在文中没有找到相符的内容。"),
        (
            "Text: Ada was born in London. She moved to Oslo in 1990.\nQuestion: Where was Ada born?",
            "",
            "Ada was born in London.",
        ),
    ],
)
def test_it_answers_from_the_text_it_was_given(question: str, system: str, expected: str) -> None:
    assert say(question, system=system) == expected


def test_it_summarises_with_the_sentences_of_the_text() -> None:
    text = "The ferry leaves at nine. It is the only ferry on weekdays. The crossing takes forty minutes. Dogs too."
    summary = say(f"Summarise this text in one sentence: {text}")
    assert summary in text
    assert summary.count(".") == 1


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Repeat after me: I am learning.", "I am learning."),
        ('Say "who are you?"', "who are you?"),
        ("Reply with exactly: pong", "pong"),
        ("请说：你好", "你好"),
        ("uppercase: hello world", "HELLO WORLD"),
        ('Reverse "hello"', "olleh"),
        ('How many words are in "the quick brown fox"?', "4 words."),
        ("How many r's in strawberry?", "There are 3 “r” in “strawberry”: s-t-r-a-w-b-e-r-r-y."),
        ("strawberry里有几个r？", "“strawberry”里有 3 个“r”：s-t-r-a-w-b-e-r-r-y。"),
        ('Translate "good morning" into Chinese', "早上好"),
        ('把"你好"翻译成英文', "Hello"),
        ("Classify the sentiment as positive, negative or neutral: I loved this film.", "positive"),
        ("判断情感：这家店的菜太难吃了，服务也很差。", "负面"),
        ("count from 1 to 5", "1, 2, 3, 4, 5"),
        ('Is this email spam? "You won a prize, click here"', "spam"),
        ("Classify the topic (sports, politics, technology): The new phone has a faster chip.", "technology"),
        ("Extract all email addresses: ada@example.com, bob@test.org", "ada@example.com, bob@test.org"),
        ("Name a fruit that starts with B", "Banana."),
        ("What is the capital of France?", "The capital of France is Paris."),
        ("法国的首都是哪里？", "法国的首都是巴黎。"),
        ("What is the capital of France? One word.", "Paris"),
    ],
)
def test_it_does_as_it_is_told(question: str, expected: str) -> None:
    assert say(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Why is the sky blue?", "scatters"),
        ("天空为什么是蓝色的？", "散射"),
        ("What is a token?", "language model reads"),
        ("什么是token？", "词元"),
        ("Explain VAD", "voice activity detection"),
        ("什么是VAD", "语音活动检测"),
        ("What is SSE?", "data: [DONE]"),
        ("What is temperature in language models?", "logits"),
        ("write the quadratic formula", r"\frac{-b \pm \sqrt{b^2 - 4ac}}{2a}"),
        ("compare a list and a tuple in a table", "|---|---|---|"),
        ("how do I write a for loop in Python", "```python"),
        ("光速是多少", "299792458"),
        ("What is photosynthesis?", "carbon dioxide"),
        ("谁写了红楼梦？", "曹雪芹"),
    ],
)
def test_it_knows_a_few_things(question: str, expected: str) -> None:
    assert expected in say(question)


def test_it_does_not_pretend() -> None:
    assert "quantum entanglement" in say("Explain quantum entanglement")
    assert "sandbox" in say("Explain quantum entanglement")
    assert "量子纠缠" in say("解释一下量子纠缠")
    assert "沙箱" in say("解释一下量子纠缠")
    assert (
        len({say("Explain quantum entanglement", sampling=Sampling(temperature=1.2, seed=seed)) for seed in range(10)})
        > 3
    )


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("9.11 or 9.9?", "9.9 is larger than 9.11."),
        ("What is the sum of the first 100 primes?", "24133"),
        ("前100个质数的和是多少？", "24133"),
        ("How many primes are below 100?", "25"),
        ("What is the 10th prime?", "29"),
        ("Largest prime below 100", "97"),
        ("List the first 5 primes", "2, 3, 5, 7, 11"),
        ("Name a prime.", "2"),
        ("Name a prime above 40.", "41"),
        ("1到100的和是多少？", "5050"),
        ("A farmer has 17 sheep. All but 9 die. How many are left?", "This is a riddle"),
        ("Alice is taller than Bob. Bob is taller than Carol. Who is the tallest?", "This is a riddle"),
        ("鸡兔同笼，有35个头，94只脚，鸡兔各几只？", "这是一道谜题"),
        ("Is Alice older than Bob, or not?", "“Is Alice older than Bob, or not?”"),
    ],
)
def test_it_works_out_what_it_can_and_refuses_the_rest_in_the_words_of_the_question(
    question: str, expected: str
) -> None:
    assert expected in say(question)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("What is the capital of France?", "And of Japan?", "The capital of Japan is Tokyo."),
        ("What is the capital of France?", "What about Germany?", "The capital of Germany is Berlin."),
        ("法国的首都是哪里？", "日本呢？", "日本的首都是东京。"),
        ("法国的首都是哪里？", "那埃及呢？", "埃及的首都是开罗。"),
    ],
)
def test_a_follow_up_asks_the_same_of_something_else(first: str, second: str, expected: str) -> None:
    assert say(first, say(first), second) == expected


@pytest.mark.parametrize("question", ["What is the weather in Paris today?", "What is the latest news?", "Who won?"])
def test_after_a_search_without_pages_it_asks_for_no_tool(question: str) -> None:
    assert say(question, searched=True).startswith("The few pages bundled with the sandbox say nothing about this")


def test_a_story_it_cannot_work_out_is_not_added_up() -> None:
    assert "129" not in say("鸡兔同笼，头35个，脚94只，鸡兔各几只？")


def test_a_text_goes_before_what_it_knows_only_where_it_fits() -> None:
    acme = "You work for Acme. The capital of our company is 5 million."
    assert say("What is the capital of France?", system=acme) == "The capital of France is Paris."
    assert say("Who is the director?", system="The director is Ms. Ingrid Dahl.") == "The director is Ms. Ingrid Dahl."


def test_its_programs_run() -> None:
    code = say("写一个判断输入n是否是质数的python函数,不要输出非代码内容")
    assert code.startswith("```python\n")
    assert code.endswith("\n```")
    found: dict[str, Any] = {}
    exec(code.removeprefix("```python\n").removesuffix("\n```"), found)
    assert [n for n in range(30) if found["is_prime"](n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "wish", ["prime", "fibonacci", "factorial", "fizzbuzz", "palindrome", "quicksort", "binary search", "word count"]
)
def test_every_program_it_writes_is_python(wish: str, seed: int) -> None:
    text = say(f"Write a Python function: {wish}. Only code.", sampling=Sampling(temperature=1.5, seed=seed))
    ast.parse(text.removeprefix("```python\n").removesuffix("\n```"))


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        ("List five fruits", 5),
        ("Give me three names for a bakery", 3),
        ("给我的咖啡店起三个名字", 3),
        ("Write a six-line poem about the sea", 6),
        ("写一首四行的诗，关于月亮", 4),
        ("Write a haiku about autumn", 3),
        ("Explain VAD in two lines.", 2),
    ],
)
def test_it_counts_lines(question: str, lines: int) -> None:
    for seed in range(5):
        written = say(question, sampling=Sampling(temperature=1.2, seed=seed)).split("\n")
        assert len(written) == lines
        assert len(set(written)) == lines


def test_stories_are_about_what_was_asked() -> None:
    assert "dragon" in say("Write a short story about a dragon")
    assert "月亮" in say("写一首关于月亮的诗")
    assert "coffee shop" in say("Write a slogan for a coffee shop")


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("Be terse.", "Paris."),
        ("Answer in Chinese.", "法国的首都是巴黎。"),
        ("Always end every answer with 'Over and out.'", "The capital of France is Paris. Over and out."),
        ("Answer in uppercase, only capital letters.", "THE CAPITAL OF FRANCE IS PARIS."),
        ("You are a helpful assistant.", "The capital of France is Paris."),
    ],
)
def test_it_follows_the_system_message(system: str, expected: str) -> None:
    assert say("What is the capital of France?", system=system) == expected


def test_it_says_which_languages_it_cannot_write() -> None:
    assert "French is beyond the sandbox" in say("What is 2+2?", system="Reply in French.")
    assert "Arr!" in say("What is 2+2?", system="Speak like a pirate.")


def test_it_goes_on_with_a_sentence() -> None:
    assert say("Complete: The cat sat on the").startswith("mat")
    assert say("续写：从前有一只").startswith(("小", "狐", "猫"))

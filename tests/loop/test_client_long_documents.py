"""Questions about documents: `qwen.files.ask` and `fileid://` messages, answered from the file, English and Chinese."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flavours import done

import qwenkit as qk
from qwenkit.catalogue import tokens
from qwenkit.sandbox import Sandbox
from qwenkit.types.files import documents
from qwenkit.types.reply import Reply

DATA = Path(__file__).parents[2] / "data"
LONG = "qwen-long"
QUESTIONS = {
    "How long is lost property kept?": "60 days",
    "Where are the life jackets for children?": "yellow chests",
    "What happens above wind force 10?": "no ferry sails",
    "When does the first ferry leave on weekends?": "07:10",
    "I travel with my dog. Which deck must it stay on?": "lower deck",
    "What is the capital of France?": "I found nothing in the text",
}
ASKED_NATURALLY = {
    "Can I bring my dog?": "Dogs travel on a short lead",
    "Are dogs allowed?": "Dogs travel on a short lead",
    "Is smoking allowed?": "Smoking is forbidden",
    "How long does a crossing take?": "25 minutes",
    "When does the first ferry leave on Sunday?": "07:10 on weekends",
    "What is the fare for a bicycle?": "1.50",
    "How many people fit on the ferry?": " passengers",
    "Can I pay cash?": "I found nothing in the text",
    "Do you sell pizza?": "I found nothing in the text",
    "最后一班渡轮几点开？": "22:50",
    "狗可以上船吗？": "Dogs travel on a short lead",
}
CHINESE = {
    "自行车往返票多少钱？": "2.50",
    "狗票多少钱？": "1.00元",
    "儿童票多少钱？": "2.10元",
    "周末第一班船几点开？": "周末首班7点10分",
    "失物保管多少天？": "60天",
    "狗可以喝啤酒吗？": "没有找到",
    "披萨多少钱？": "没有找到",
    "When does the last ferry leave?": "22点50分",
}
OWN = {
    "Customer: Zoe Lin\nOrder: 17\nTotal: 88.20 EUR\n": {
        "What is the total?": "Total: 88.20 EUR",
        "Who is the customer?": "Customer: Zoe Lin",
        "What is the order number?": "Order: 17",
        "What is the discount?": "I found nothing in the text that matches.",
    },
    "我的生日是五月三日。": {
        "我的生日是哪天？": "我的生日是五月三日。",
        "我的名字是什么？": "我在文中没有找到相符的内容。",
    },
}


@pytest.mark.parametrize("name", ["handbook.md", "handbook.docx", "handbook.pdf"])
async def test_the_answer_comes_from_the_file(qwen: Any, name: str):
    file = await done(qwen.files.upload(DATA / name))
    for question, answer in (QUESTIONS | ASKED_NATURALLY).items():
        reply = await done(qwen.files.ask(question, file))
        assert isinstance(reply, Reply)
        assert answer in reply.text


async def test_chinese_questions_about_a_chinese_document(qwen: Any):
    file = await done(qwen.files.upload(DATA / "handbook.zh.md"))
    for question, answer in CHINESE.items():
        assert answer in (await done(qwen.files.ask(question, file))).text


async def test_questions_about_a_small_file_of_ones_own(qwen: Any):
    for at, (text, questions) in enumerate(OWN.items()):
        file = await done(qwen.files.upload(text.encode(), name=f"own-{at}.txt"))
        for question, answer in questions.items():
            assert (await done(qwen.files.ask(question, file))).text == answer


async def test_rows_of_a_table_know_their_columns(qwen: Any):
    table = b"name,single fare,return fare\nDog,1.00,1.80\nBicycle,1.50,2.50\n"
    file = await done(qwen.files.upload(table, name="fares.csv"))
    reply = await done(qwen.files.ask("What is the return fare for a bicycle?", file))
    assert reply.text == "Bicycle: single fare 1.50, return fare 2.50."


async def test_a_needle_is_found_in_a_document_longer_than_any_window(qwen: Any):
    hay = [
        f"On day {n} the harbour master counted {n % 97} boats and wrote it into the grey book." for n in range(8_000)
    ]
    hay[6_321] = "The key of the old lighthouse hangs behind the green clock."
    file = await done(qwen.files.upload("\n\n".join(hay).encode(), name="log.txt", progress=False))
    reply = await done(qwen.files.ask("Where does the key of the lighthouse hang?", file))
    assert "green clock" in reply.text
    assert reply.usage.prompt > 120_000


async def test_a_document_without_any_break_is_read_all_the_same(qwen: Any):
    data = json.dumps({"harbour": [{"boat": n} for n in range(20_000)], "gate": "The gate is green."}).encode()
    file = await done(qwen.files.upload(data, name="all.json", progress=False))
    await done(qwen.files.wait(file))
    assert "green" in (await done(qwen.files.ask("Which colour is the gate?", file))).text


async def test_several_documents_are_read_together(qwen: Any, box: Sandbox):
    one = await done(qwen.files.upload(b"The gate is green.", name="one.txt"))
    two = await done(qwen.files.upload(b"The tower is yellow.", name="two.txt"))
    assert "yellow" in (await done(qwen.files.ask("Which colour is the tower?", [one, two.id]))).text
    assert box.requests[-1].json["messages"][1]["content"] == f"fileid://{one.id},fileid://{two.id}"
    by_hand = [one.message, two.message, "Which colour is the gate?"]
    assert "green" in (await done(qwen.chat(by_hand, model=LONG))).text
    assert one.message == documents(one.id)


async def test_ask_uploads_paths_and_sends_role_document_and_question(qwen: Any, box: Sandbox):
    await done(qwen.files.ask("How long is lost property kept?", DATA / "handbook.md", temperature=0.1))
    upload, chat = box.requests[-2:]
    assert upload.path.endswith("/files")
    assert [message["role"] for message in chat.json["messages"]] == ["system", "system", "user"]
    assert chat.json["model"] == LONG
    assert chat.json["temperature"] == 0.1


async def test_ask_takes_a_role_and_another_model(qwen: Any, box: Sandbox):
    file = await done(qwen.files.upload(b"The gate is green.", name="one.txt"))
    reply = await done(qwen.files.ask("Which colour is the gate?", file, system="Be terse.", model="qwen-doc-turbo"))
    assert "green" in reply.text
    assert box.requests[-1].json["messages"][0] == {"role": "system", "content": "Be terse."}


async def test_the_whole_document_is_counted_and_priced(qwen: Any):
    file = await done(qwen.files.upload(DATA / "handbook.md"))
    reply = await done(qwen.files.ask("How long is lost property kept?", file))
    whole = tokens.count((DATA / "handbook.md").read_text("utf-8").strip())
    assert whole < reply.usage.prompt < whole + 40
    assert reply.cost.amount == pytest.approx((reply.usage.prompt * 0.5 + reply.usage.completion * 2) / 1e6)


async def test_a_summary_takes_sentences_and_no_tables(qwen: Any):
    file = await done(qwen.files.upload(DATA / "handbook.md"))
    reply = await done(qwen.files.ask("Summarise this document in two sentences.", file))
    text = " ".join((DATA / "handbook.md").read_text("utf-8").split())
    for sentence in reply.text.split(". "):
        assert sentence.rstrip(".") in text
    assert "|" not in reply.text


async def test_a_stream_reads_documents_too(client: qk.Client):
    file = client.files.upload(b"The gate is green.", name="one.txt")
    reply = client.chat.stream([file.message, "Which colour is the gate?"], model=LONG).finish()
    assert "green" in reply.text


async def test_the_native_api_reads_documents_too(qwen: Any):
    file = await done(qwen.files.upload(b"The gate is green.", name="one.txt"))
    reply = await done(qwen.native.generate([file.message, "Which colour is the gate?"], model=LONG))
    assert "green" in reply.text


async def test_other_models_take_the_reference_for_a_text(qwen: Any):
    file = await done(qwen.files.upload(b"The gate is green.", name="one.txt"))
    question = [file.message, "Which colour is the gate?"]
    with pytest.raises(qk.ConfigError, match="qwen-plus reads no files"):
        await done(qwen.chat(question, model="qwen-plus"))
    sent = [{"role": "system", "content": f"fileid://{file.id}"}, {"role": "user", "content": question[1]}]
    reply = await done(qwen.chat("Hello", model="qwen-plus", extra={"messages": sent}))
    assert "green" not in reply.text


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"   ", "blank.txt", "content blank."),
        (b"MZ\x00", "a.exe", "format is not supported."),
        (b"\x89PNG", "scan.png", "reads no text in pictures"),
    ],
)
async def test_an_unreadable_document_is_refused_when_it_is_asked_about(qwen: Any, data: bytes, name: str, words: str):
    file = await done(qwen.files.upload(data, name=name))
    with pytest.raises(qk.InvalidRequest, match=words) as refused:
        await done(qwen.files.ask("What?", file))
    assert f"File [id:{file.id}]" in refused.value.message


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("fileid://file-fe-000000000000000000000000", "cannot be found"),
        ("fileid://file-batch-1", r"Invalid file \[id:file-batch-1\]"),
        ("fileid://", r"Invalid file \[id:\]"),
        (",".join(f"fileid://file-fe-{n}" for n in range(101)), "Too many files provided"),
    ],
)
async def test_references_that_lead_nowhere_are_refused(qwen: Any, reference: str, words: str):
    messages = [{"role": "system", "content": reference}, "What?"]
    with pytest.raises(qk.InvalidRequest, match=words):
        await done(qwen.chat(messages, model=LONG))


async def test_a_deleted_file_is_gone_for_chat_too(qwen: Any):
    file = await done(qwen.files.upload(b"The gate is green.", name="one.txt"))
    await done(qwen.files.delete(file))
    with pytest.raises(qk.InvalidRequest, match="cannot be found"):
        await done(qwen.files.ask("What?", file))


async def test_a_question_beside_a_document_must_be_short(qwen: Any):
    file = await done(qwen.files.upload(b"The gate is green.", name="one.txt"))
    with pytest.raises(qk.InvalidRequest, match="9000"):
        await done(qwen.files.ask("gate " * 9500, file))


async def test_documents_that_are_too_long_together_are_refused(qwen: Any):
    file = await done(qwen.files.upload(b"The gate is green. " * 60_000, name="long.txt", progress=False))
    with pytest.raises(qk.InvalidRequest, match=r"exceed model limit \(253952 tokens\)"):
        await done(qwen.files.ask("Which colour?", file, model="qwen-doc-turbo"))


async def test_text_in_a_second_system_message_is_a_document_as_well(qwen: Any):
    messages = [
        qk.Message.system("You are terse."),
        qk.Message.system("The gate is green."),
        "Which colour is the gate?",
    ]
    assert "green" in (await done(qwen.chat(messages, model=LONG))).text

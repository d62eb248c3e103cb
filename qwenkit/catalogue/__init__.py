"""What there is to call: models, prices, voices, regions and error codes, as dated data files with a lookup.

No other room writes a model name down. The facts lie in `data/*.json`, each price and list with the day it was read;
a file is read on first use and never again. Nothing here touches the network, and unknown names give None: the service
knows more models than any list.

Read next: `lineup` (models), `tariff` (prices), `fees` (of built-in tools), `places` (regions and hosts), `cures`
(error codes), `cast` (voices), `tokens` (how long is a text).
"""

from __future__ import annotations

from qwenkit.catalogue import tokens
from qwenkit.catalogue.cast import Voice, voice, voices
from qwenkit.catalogue.cures import CodeFact, code_facts, codes, status_facts
from qwenkit.catalogue.fees import fees
from qwenkit.catalogue.lineup import Model, PriceTable, Tier, known, model, models, search, suggest
from qwenkit.catalogue.places import HostFamily, Region, host_family, paths, region, regions
from qwenkit.catalogue.tariff import convert, flat, price, price_table

DEFAULTS: dict[str, str] = {
    "chat": "qwen-plus",  # balanced, cheap, stable alias; the founding documents build on it
    "vision": "qwen3-vl-plus",  # the founding default for pictures
    "omni": "qwen3-omni-flash",  # speaks and hears over plain chat; Cherry is its voice
    "audio": "qwen3-omni-flash",  # hears over chat completions; qwen-audio-turbo officially does not
    "speech": "qwen3-tts-flash",  # current flash voice; in Beijing and Singapore, unlike qwen-tts
    "transcribe": "qwen3-asr-flash",  # answers at once, takes local files
    "transcribe_long": "qwen3-asr-flash-filetrans",  # recordings up to 12 hours
    "image": "wan2.6-t2i",  # the founding default for drawing
    "video": "wan2.6-t2v",  # from words; the newest whose price the pages tell
    "embedding": "text-embedding-v4",  # sizes to choose from, in every region
    "rerank": "qwen3-rerank",
    "realtime": "qwen3-omni-flash-realtime",  # the founding realtime model: 24 kHz, Cherry
    "speech_live": "qwen3-tts-flash-realtime",  # these three over a socket, while somebody writes or speaks
    "transcribe_live": "qwen3-asr-flash-realtime",
    "translate_live": "qwen3.5-livetranslate-flash-realtime",
    "translate": "qwen-mt-flash",  # cheaper than plus, and its streams grow word by word
    "fim": "qwen-coder-turbo",  # fills in the middle over /completions
    "long": "qwen-long",  # documents by file id, ten million tokens
    "thinking": "qwen-plus",  # a hybrid: the same model with and without
    "responses": "qwen3.5-plus",  # the founding overview's recommended default, with built-in tools
    "native": "qwen-plus",
}

__all__ = [
    "DEFAULTS",
    "CodeFact",
    "HostFamily",
    "Model",
    "PriceTable",
    "Region",
    "Tier",
    "Voice",
    "code_facts",
    "codes",
    "convert",
    "fees",
    "flat",
    "host_family",
    "known",
    "model",
    "models",
    "paths",
    "price",
    "price_table",
    "region",
    "regions",
    "search",
    "status_facts",
    "suggest",
    "tokens",
    "voice",
    "voices",
]

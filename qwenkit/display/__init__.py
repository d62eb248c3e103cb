"""Value in, mime bundle out: how everything qwenkit gives back looks in a notebook.

`bundle(value)` finds the view of a value by its class in one table and imports only that view. A view is a pure
function: the same value gives the same bytes, everything somebody else wrote is escaped, every size has a cap. A view
that fails never takes the value with it: the cell falls back to the value's plain repr.

Read next: `page` (the frame all cards share), `markdown` (a model's words), then one module per kind of value. `live`
draws a stream while it arrives.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# class -> module:function in this room. Looked up along the MRO, so an error subclass finds the error card.
VIEWS: dict[str, str] = {
    "qwenkit.types.reply.Reply": "reply:reply",
    "qwenkit.types.app.AppReply": "app:app",
    "qwenkit.types.knowledge.Building": "knowledge:building",
    "qwenkit.types.knowledge.Nodes": "knowledge:nodes",
    "qwenkit.types.knowledge.Documents": "knowledge:documents",
    "qwenkit.types.knowledge.KnowledgeFiles": "knowledge:files",
    "qwenkit.api.knowledge.BaseCalls": "knowledge:base",
    "qwenkit.api.knowledge.Bases": "knowledge:bases",
    "qwenkit.types.retrieval.Hits": "hits:hits",
    "qwenkit.types.retrieval.Added": "hits:added",
    "qwenkit.types.grounded.Grounded": "grounded:grounded",
    "qwenkit.types.grounded.Recall": "grounded:recall",
    "qwenkit.types.grounded.CorpusMap": "corpus_map:corpus_map",
    "qwenkit.types.completion.Completion": "completion:completion",
    "qwenkit.types.response.Response": "response:response",
    "qwenkit.types.response.Item": "response:item",
    "qwenkit.types.response.Items": "response:items",
    "qwenkit.types.response.ConversationObject": "response:conversation",
    "qwenkit.types.response_tree.ResponseTree": "response_tree:tree",
    "qwenkit.types.task.Task": "task:task",
    "qwenkit.types.task.TaskTable": "task:tasks",
    "qwenkit.types.connection.Connection": "connection:connection",
    "qwenkit.types.connection.CheckUp": "connection:checkup",
    "qwenkit.types.ledger.Ledger": "ledger:ledger",
    "qwenkit.types.many.MapResults": "many:results",
    "qwenkit.types.files.StoredFile": "files:stored",
    "qwenkit.types.files.FileList": "files:files",
    "qwenkit.types.batch.Batch": "batch:batch",
    "qwenkit.types.batch.BatchList": "batch:batches",
    "qwenkit.types.batch.BatchResults": "batch:results",
    "qwenkit.types.wire.Wire": "wire:wire",
    "qwenkit.types.wire.Exchange": "wire:exchange",
    "qwenkit.types.models.ModelTable": "models:models",
    "qwenkit.types.embeddings.Embeddings": "embeddings:embeddings",
    "qwenkit.types.ranking.Ranking": "embeddings:ranking",
    "qwenkit.types.audio.Audio": "audio:audio",
    "qwenkit.types.voices.Spoken": "voices:spoken",
    "qwenkit.types.voices.Cast": "voices:cast",
    "qwenkit.types.voices.OwnVoice": "voices:own",
    "qwenkit.types.voices.OwnVoices": "voices:owned",
    "qwenkit.types.takes.Takes": "takes:takes",
    "qwenkit.types.image.Image": "image:image",
    "qwenkit.types.image_grid.ImageGrid": "image_grid:grid",
    "qwenkit.types.overlay.Overlay": "overlay:overlay",
    "qwenkit.types.video.Video": "video:video",
    "qwenkit.types.live.Translation": "translation:translation",
    "qwenkit.types.transcript.Transcript": "transcript:transcript",
    "qwenkit.types.transcript.Transcripts": "transcript:transcripts",
    "qwenkit.types.transcript.FailedRecording": "transcript:failed",
    "qwenkit.types.turn.Turn": "call:turn",
    "qwenkit.types.call.Call": "call:static",
    "qwenkit.types.call.Timeline": "call_drawings:timeline",
    "qwenkit.types.call.Latency": "call_drawings:latency",
    "qwenkit.types.realtime.Event": "call:event",
    "qwenkit.catalogue.lineup.Model": "models:model",
    "qwenkit.errors.QwenError": "error:error",
    "qwenkit.api.conversation.ConversationCalls": "conversation:conversation",
    "qwenkit.api.realtime.session.SessionCalls": "call:session",
    "qwenkit.widgets.voice.VoiceSession": "call:voice",
}

MAX_PLAIN = 40_000


def bundle(value: object) -> dict[str, str]:
    """The value as `text/plain` and, where it has a view, `text/html` (a chart: `image/png`)."""
    try:
        view = _view(type(value))
        found: dict[str, str] = view(value) if view else {"text/plain": repr(value)}
    except Exception:  # a view must never cost the reader the value itself
        found = {"text/plain": _repr(value)}
    return {**found, "text/plain": _bounded(found["text/plain"])}


def drawer(value: object) -> Any:
    """How a value is drawn while it still grows: `card(value, remark=…, running=…, words=…)` beside its view."""
    return _find(type(value), "card")


def _view(kind: type) -> Any:
    return _find(kind)


def _find(kind: type, function: str = "") -> Any:
    for base in kind.__mro__:
        place = VIEWS.get(f"{base.__module__}.{base.__qualname__}")
        if place:
            module, _, name = place.partition(":")
            return getattr(import_module(f"qwenkit.display.{module}"), function or name)
    return None


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _bounded(plain: str) -> str:
    """Terminal codes out, the end in sight: what holds for every view is done here once."""
    from qwenkit.display.text import clean, clip

    shown, rest = clip(plain, MAX_PLAIN)
    return clean(shown) + (rest and f"\n{rest}")

"""What fill-in-the-middle gives back: the words between a beginning and an end."""

from __future__ import annotations

from qwenkit.types.reply import Reply


class Completion(Reply):
    """A reply whose `text` is what belongs between `before` and `after`; `code` is all three joined."""

    __slots__ = ("after", "before")

    def __init__(self, reply: Reply, before: str, after: str) -> None:
        for name in Reply.__slots__:
            setattr(self, name, getattr(reply, name))
        self.before = before
        self.after = after

    @property
    def code(self) -> str:
        """The program with the middle in its place."""
        return self.before + self.text + self.after

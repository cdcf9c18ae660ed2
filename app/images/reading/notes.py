"""A remark for people about one picture: a sentence to translate and what goes into it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """`msgid` is an English sentence in %-format, marked with `N_` where it is written; `params` fill it in."""

    msgid: str
    params: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        """The English sentence."""
        return self.msgid % self.params

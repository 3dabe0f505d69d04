"""Korean verbs and adjectives: stems, their irregular classes, and the endings used here.

Three kinds of ending exist: those that are simply appended (고, 지, 기, 는), those that ask for 으
after a consonant (면, ㄴ, ㄹ), and those that start with 아 or 어, which vowel harmony chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytransformer.data.corpus.hangul import Syllable, split, with_tail

# Vowel of the stem + 어, where the two melt into one; the other vowels keep 어 as a syllable.
_MELTED = {
    **{vowel: vowel for vowel in "ㅏㅓㅐㅔㅕ"},
    "ㅗ": "ㅘ",
    "ㅜ": "ㅝ",
    "ㅣ": "ㅕ",
    "ㅚ": "ㅙ",
}
_BRIGHT = "ㅏㅑㅗ"


@dataclass(frozen=True, slots=True)
class Stem:
    """A dictionary form without 다.

    Attributes:
        text: the stem, perhaps with words before it (먹이를 주).
        irregular: ``ㅂ``, ``ㄷ``, ``ㅎ`` or ``르`` for a stem of that irregular class, else empty.
            하다, ㅡ and ㄹ stems need no mark: their spelling shows it.
        adjective: whether it takes the endings of adjectives.
        past: whether it already ends in 았 or 었.
    """

    text: str
    irregular: str = ""
    adjective: bool = False
    past: bool = False

    @classmethod
    def parse(cls, entry: str, *, adjective: bool = False) -> Stem:
        """From a lexicon entry such as ``읽`` or ``돕/ㅂ``."""
        text, _, irregular = entry.partition("/")
        return cls(text, irregular, adjective)

    @property
    def exists(self) -> bool:
        """Whether it is built on 있다 or 없다, half verb and half adjective."""
        return self.text[-1] in "있없"


def infinitive(stem: Stem) -> str:
    """The form in 아 or 어: 읽어, 가, 해, 도와, 들어, 몰라, 써, 빨개."""
    head, last = stem.text[:-1], split(stem.text[-1])
    if stem.past:
        return stem.text + "어"
    if stem.text[-1] == "하":
        return head + "해"
    if stem.irregular == "ㅂ":
        return with_tail(stem.text, "") + ("와" if stem.text == "돕" else "워")
    if stem.irregular == "르":
        return with_tail(head, "ㄹ") + ("라" if split(head[-1]).vowel in _BRIGHT else "러")
    if stem.irregular == "ㅎ":
        return head + Syllable(last.lead, "ㅒ" if last.vowel == "ㅑ" else "ㅐ").text()
    if stem.irregular == "ㄷ":
        return infinitive(Stem(with_tail(stem.text, "ㄹ")))
    if last.tail:
        return stem.text + ("아" if last.vowel in _BRIGHT else "어")
    if last.vowel == "ㅡ":
        bright = head and head[-1] != " " and split(head[-1]).vowel in _BRIGHT
        return head + Syllable(last.lead, "ㅏ" if bright else "ㅓ").text()
    if last.vowel in _MELTED:
        return head + Syllable(last.lead, _MELTED[last.vowel]).text()
    return stem.text + "어"


def past(stem: Stem) -> Stem:
    """The past stem: 읽었, 갔, 했, 도왔."""
    return replace(stem, text=with_tail(infinitive(stem), "ㅆ"), irregular="", past=True)


def append(stem: Stem, ending: str) -> str:
    """An ending that asks for nothing; ㄹ falls before ㄴ: 여는, but 열고."""
    text = stem.text
    if split(text[-1]).tail == "ㄹ" and split(ending[0]).lead == "ㄴ":
        text = with_tail(text, "")
    return text + ending


def append_eu(stem: Stem, ending: str) -> str:
    """An ending that asks for 으 after a consonant.

    ``ending`` may begin with a bare ㄴ or ㄹ, which becomes the tail of an open syllable:
    가 + ㄴ = 간, 읽 + ㄹ = 읽을, 열 + ㄴ = 연, 돕 + ㄹ = 도울, 듣 + 면 = 들으면.
    """
    text, tail = stem.text, split(stem.text[-1]).tail
    if stem.irregular == "ㅂ":
        text, tail = with_tail(text, "") + "우", ""
    elif stem.irregular == "ㅎ":
        text, tail = with_tail(text, ""), ""
    elif stem.irregular == "ㄷ":
        text = with_tail(text, "ㄹ")
    elif tail == "ㄹ":
        tail = ""
        if ending[0] in "ㄴㄹ":
            text = with_tail(text, "")
    if tail:
        text += "으"
    if ending[0] in "ㄴㄹ":
        return with_tail(text, ending[0]) + ending[1:]
    return text + ending


def attributive(stem: Stem) -> str:
    """The form before a noun: 읽는, 작은, 맛있는."""
    if stem.adjective and not stem.exists:
        return append_eu(stem, "ㄴ")
    return append(stem, "는")


def attributive_past(stem: Stem, *, lasting: bool) -> str:
    """The form before a noun for what is over: 읽은, and for a lasting state 사랑했던, 작았던."""
    if lasting or stem.adjective or stem.exists:
        return append(past(stem), "던")
    return append_eu(stem, "ㄴ")


def whether(stem: Stem) -> str:
    """The indirect question: 읽는지, 작은지, 읽었는지."""
    if stem.adjective and not stem.exists and not stem.past:
        return append_eu(stem, "ㄴ지")
    return append(stem, "는지")


def plain(stem: Stem) -> str:
    """The plain statement that reported speech is built on: 읽는다, 간다, 연다, 작다, 갔다."""
    if stem.adjective or stem.past or stem.exists:
        return stem.text + "다"
    if split(stem.text[-1]).tail in ("", "ㄹ"):
        return with_tail(stem.text, "ㄴ") + "다"
    return stem.text + "는다"

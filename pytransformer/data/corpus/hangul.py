"""Hangul syllables as numbers.

A precomposed syllable is ``U+AC00 + (lead * 21 + vowel) * 28 + tail``, where tail 0 means that the
syllable ends in its vowel (The Unicode Standard, section 3.12). Korean particles and endings ask
for exactly that tail.
"""

from __future__ import annotations

from typing import NamedTuple

LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
TAILS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_FIRST = 0xAC00
_COUNT = len(LEADS) * len(VOWELS) * len(TAILS)

# After a final consonant, after a vowel.
PARTICLES = {
    "topic": ("은", "는"),
    "subject": ("이", "가"),
    "object": ("을", "를"),
    "with": ("과", "와"),
    "towards": ("으로", "로"),
}


class Syllable(NamedTuple):
    """The letters of one syllable; ``tail`` is empty when it ends in its vowel."""

    lead: str
    vowel: str
    tail: str = ""

    def text(self) -> str:
        """The precomposed character."""
        lead, vowel = LEADS.index(self.lead), VOWELS.index(self.vowel)
        return chr(_FIRST + (lead * len(VOWELS) + vowel) * len(TAILS) + TAILS.index(self.tail))


def split(character: str) -> Syllable:
    """The letters of a precomposed syllable.

    Raises:
        ValueError: if ``character`` is not one Hangul syllable.
    """
    index = ord(character) - _FIRST if len(character) == 1 else -1
    if not 0 <= index < _COUNT:
        raise ValueError(f"character = {character!r}: must be one Hangul syllable")
    rest, tail = divmod(index, len(TAILS))
    lead, vowel = divmod(rest, len(VOWELS))
    return Syllable(LEADS[lead], VOWELS[vowel], TAILS[tail])


def with_tail(word: str, tail: str) -> str:
    """The word with the tail of its last syllable replaced; an empty tail removes it."""
    return word[:-1] + split(word[-1])._replace(tail=tail).text()


def particle(word: str, role: str) -> str:
    """The word with the particle of ``role``, a key of ``PARTICLES``.

    The tail chooses the form; "towards" alone counts ㄹ as a vowel: 길로, but 집으로.
    """
    tail = split(word[-1]).tail
    after_vowel = not tail or (role == "towards" and tail == "ㄹ")
    return word + PARTICLES[role][after_vowel]

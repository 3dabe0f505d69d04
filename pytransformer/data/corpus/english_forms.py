"""English word forms."""

from __future__ import annotations

from pytransformer.data.corpus.lexicon import EnglishVerb

_VOWELS = "aeiou"
# One short vowel before one final consonant, and the stress on it.
_DOUBLED = ("swim", "get", "run", "put", "sit", "begin", "forget")

PRONOUNS = {
    "I": ("I", "me"),
    "you": ("you", "you"),
    "he": ("he", "him"),
    "she": ("she", "her"),
    "it": ("it", "it"),
    "we": ("we", "us"),
    "they": ("they", "them"),
}
BE_PRESENT = {"I": "am", "he": "is"}
BE_PAST = {"I": "was", "he": "was"}


def third_person(base: str) -> str:
    """reads, watches, carries, goes, has."""
    if base == "have":
        return "has"
    if base.endswith(("s", "sh", "ch", "x", "o")):
        return base + "es"
    if base.endswith("y") and base[-2] not in _VOWELS:
        return base[:-1] + "ies"
    return base + "s"


def gerund(base: str) -> str:
    """reading, writing, swimming, lying, seeing."""
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base in _DOUBLED:
        return base + base[-1] + "ing"
    if base.endswith("e") and not base.endswith("ee"):
        return base[:-1] + "ing"
    return base + "ing"


def article(word: str) -> str:
    """The indefinite article before ``word``; no word of the lexicon sounds unlike its letter."""
    return "an" if word[0] in _VOWELS else "a"


def possessive(word: str) -> str:
    """Anna's, the students'."""
    return word + ("'" if word.endswith("s") else "'s")


def finite(verb: EnglishVerb, person: str, *, past: bool) -> str:
    """The simple present or past; ``person`` "he" stands for every third person singular."""
    if past:
        return verb.past
    return third_person(verb.base) if person == "he" else verb.base

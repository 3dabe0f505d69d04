"""The tables of words, read into typed entries by concept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pytransformer.data.corpus import nouns, verbs, words
from pytransformer.data.corpus.korean_forms import Stem


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun; ``weak_ending`` is the -n or -en of the German weak declension, else empty."""

    concept: str
    plural: str
    gender: str
    german: str
    german_plural: str
    weak_ending: str
    korean: str
    counter: str
    kinds: tuple[str, ...]
    at: str = ""
    to: str = ""
    german_at: str = ""
    german_to: str = ""

    @property
    def substance(self) -> bool:
        """Whether it has no plural and no "a"."""
        return not self.plural


@dataclass(frozen=True, slots=True)
class EnglishVerb:
    """Principal parts of the first word; ``rest`` follows, around the object if ``moves``."""

    base: str
    past: str
    participle: str
    rest: str = ""
    moves: bool = False


@dataclass(frozen=True, slots=True)
class GermanVerb:
    """Principal parts without the separable prefix, except the participle, which has it."""

    infinitive: str
    third: str
    preterite: str
    participle: str
    prefix: str = ""
    reflexive: bool = False
    auxiliary: str = "haben"
    preposition: str = ""
    case: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb, and what it goes together with."""

    concept: str
    english: EnglishVerb
    german: GermanVerb
    korean: Stem
    korean_object: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    places: tuple[str, ...]
    flags: tuple[str, ...]


class InfinitiveVerb(NamedTuple):
    """A verb that takes an infinitive; ``ending`` joins the two Korean stems."""

    english: EnglishVerb
    german: GermanVerb
    ending: str
    korean: Stem


class ReportVerb(NamedTuple):
    """A verb that takes a clause; ``korean_link`` joins the clause's verb and ``korean``."""

    english: EnglishVerb
    link: str
    german: GermanVerb
    german_link: str
    korean_link: str
    korean: Stem


class Adjective(NamedTuple):
    """An adjective; ``fixed`` is a Korean form before nouns that has no stem."""

    comparative: str
    german: str
    german_stem: str
    german_comparative: str
    korean: Stem
    fixed: str
    kinds: tuple[str, ...]


class Adverbial(NamedTuple):
    """A time, a frequency or a manner.

    ``suits`` holds the tenses that a time goes with, or the group of a manner.
    """

    german: str
    korean: str
    suits: tuple[str, ...] = ()


class Number(NamedTuple):
    """A number from two; the Korean one is the native numeral before a counter."""

    english: str
    german: str
    korean: str


def _rows(table: str) -> Iterator[list[str]]:
    for line in table.strip().splitlines():
        if line.strip():
            yield [cell.strip().removeprefix("-") or "" for cell in line.split("|")]


def _words(cell: str) -> list[str]:
    """The words of a cell; a plus sign holds together what belongs to one of them."""
    return [word.replace("+", " ") for word in cell.split()]


def _noun(row: list[str]) -> Noun:
    concept, plural, german, german_plural, korean, counter, kinds, *places = row
    article, _, singular = german.partition(" ")
    singular, _, weak_ending = singular.partition("-")
    return Noun(
        concept,
        plural,
        {"der": "m", "die": "f", "das": "n"}[article],
        singular,
        german_plural,
        weak_ending,
        korean,
        counter,
        tuple(kinds.split()),
        *(places[0].split() if places else ()),
    )


def _english_verb(cell: str) -> EnglishVerb:
    lemma, _, irregular = cell.rstrip(")").partition(" (")
    base, _, rest = lemma.partition(" ")
    past, participle = irregular.split() if irregular else (_regular_past(base),) * 2
    return EnglishVerb(base, past, participle, rest.lstrip("+"), rest.startswith("+"))


def _regular_past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return base + "ed"


def _german_verb(cell: str, governs: str = "") -> GermanVerb:
    infinitive, third, preterite, participle = _words(cell)
    reflexive = infinitive.startswith("sich ")
    prefix, _, bare = infinitive.removeprefix("sich ").rpartition("/")
    preposition, _, case = governs.rpartition("+")
    return GermanVerb(
        bare,
        third,
        preterite,
        participle.removeprefix("ist "),
        prefix,
        reflexive,
        "sein" if participle.startswith("ist ") else "haben",
        preposition,
        case,
    )


def _verb(row: list[str]) -> Verb:
    english, german, governs, korean, korean_object, subjects, objects, places, flags = row
    text = korean.removesuffix("+adj")
    return Verb(
        english.partition(" (")[0].replace("+", ""),
        _english_verb(english),
        _german_verb(german, governs),
        Stem.parse(text.replace("+", " "), adjective="+adj" in korean),
        korean_object,
        tuple(subjects.split()),
        tuple(objects.split()),
        tuple(places.split()),
        tuple(flags.split()),
    )


def _infinitive_verb(row: list[str]) -> InfinitiveVerb:
    english, german, ending, korean = row
    stem = Stem.parse(korean, adjective=korean == "싶")
    return InfinitiveVerb(_english_verb(english), _german_verb(german), ending, stem)


def _report_verb(row: list[str]) -> ReportVerb:
    _, english, link, german, german_link, korean_link, korean = row
    return ReportVerb(
        _english_verb(english),
        link,
        _german_verb(german),
        german_link,
        korean_link,
        Stem.parse(korean),
    )


def _adjective(row: list[str]) -> tuple[str, Adjective]:
    english, german, korean, kinds = row
    concept, comparative = _words(english + " -")[:2]
    german, german_comparative = _words(german + " -")[:2]
    german, _, german_stem = german.partition("/")
    fixed = korean.removeprefix("=") if korean.startswith("=") else ""
    return concept, Adjective(
        comparative.removeprefix("-"),
        german,
        german_stem or german,
        german_comparative.removeprefix("-"),
        Stem.parse(korean, adjective=True),
        fixed,
        tuple(kinds.split()),
    )


def _adverbials(table: str) -> dict[str, Adverbial]:
    return {
        row[0]: Adverbial(row[1], row[2], tuple(row[3].split()) if len(row) > 3 else ())
        for row in _rows(table)
    }


NOUNS = {noun.concept: noun for noun in map(_noun, _rows(nouns.NOUNS))}
VERBS = {verb.concept: verb for verb in map(_verb, _rows(verbs.VERBS))}
INFINITIVES = {verb.english.base: verb for verb in map(_infinitive_verb, _rows(verbs.INFINITIVES))}
REPORTS = {row[0]: _report_verb(row) for row in _rows(verbs.REPORTS)}
ADJECTIVES = dict(map(_adjective, _rows(words.ADJECTIVES)))
TIMES = _adverbials(words.TIMES)
FREQUENCIES = _adverbials(words.FREQUENCIES)
MANNERS = _adverbials(words.MANNERS)
NAMES = {row[0]: row[1] for row in _rows(words.NAMES)}
NUMBERS = {int(row[0]): Number(*row[1:]) for row in _rows(words.NUMBERS)}
RELATIONS = {row[0]: (row[1], row[2]) for row in _rows(words.RELATIONS)}


@cache
def members(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The nouns, in the table's order, that are named in ``kinds`` or belong to one of them."""
    return tuple(
        concept
        for concept, noun in NOUNS.items()
        if concept in kinds or any(kind in noun.kinds for kind in kinds)
    )

"""German word forms: articles, adjective endings, nouns, pronouns, finite verbs."""

from __future__ import annotations

import re

from pytransformer.data.corpus.lexicon import GermanVerb, Noun

# Each row lists masculine, feminine, neuter, plural.
_GENDERS = "mfnp"
DEFINITE = {
    "nom": ("der", "die", "das", "die"),
    "acc": ("den", "die", "das", "die"),
    "dat": ("dem", "der", "dem", "den"),
    "gen": ("des", "der", "des", "der"),
}
# dieser, jeder
_DER_ENDINGS = {
    "nom": ("er", "e", "es", "e"),
    "acc": ("en", "e", "es", "e"),
    "dat": ("em", "er", "em", "en"),
}
# ein, kein, mein
_EIN_ENDINGS = {
    "nom": ("", "e", "", "e"),
    "acc": ("en", "e", "", "e"),
    "dat": ("em", "er", "em", "en"),
    "gen": ("es", "er", "es", "er"),
}
# After nothing, after ein and its like, after der and its like.
_ADJECTIVE_ENDINGS = {
    "strong": {
        "nom": ("er", "e", "es", "e"),
        "acc": ("en", "e", "es", "e"),
        "dat": ("em", "er", "em", "en"),
    },
    "mixed": {
        "nom": ("er", "e", "es", "en"),
        "acc": ("en", "e", "es", "en"),
        "dat": ("en", "en", "en", "en"),
    },
    "weak": {
        "nom": ("e", "e", "e", "en"),
        "acc": ("en", "e", "e", "en"),
        "dat": ("en", "en", "en", "en"),
    },
}
_EIN_WORDS = {
    "a": "ein",
    "no": "kein",
    "my": "mein",
    "his": "sein",
    "her": "ihr",
    "our": "unser",
    "their": "ihr",
}
_DER_WORDS = {"this": "dies", "every": "jed"}
_CONTRACTIONS = {
    ("in", "dem"): "im",
    ("in", "das"): "ins",
    ("an", "dem"): "am",
    ("an", "das"): "ans",
    ("zu", "dem"): "zum",
    ("zu", "der"): "zur",
}

PRONOUNS = {
    "I": {"nom": "ich", "acc": "mich", "dat": "mir"},
    "you": {"nom": "du", "acc": "dich", "dat": "dir"},
    "he": {"nom": "er", "acc": "ihn", "dat": "ihm"},
    "she": {"nom": "sie", "acc": "sie", "dat": "ihr"},
    "it": {"nom": "es", "acc": "es", "dat": "ihm"},
    "we": {"nom": "wir", "acc": "uns", "dat": "uns"},
    "they": {"nom": "sie", "acc": "sie", "dat": "ihnen"},
}
REFLEXIVES = {"I": "mich", "you": "dich", "we": "uns"}
ASKED = {"nom": "wer", "acc": "wen", "dat": "wem"}

_SEIN = {
    "present": {"I": "bin", "you": "bist", "he": "ist", "they": "sind"},
    "past": {"I": "war", "you": "warst", "he": "war", "they": "waren"},
}
_HABEN = {
    "present": {"I": "habe", "you": "hast", "he": "hat", "they": "haben"},
    "past": {"I": "hatte", "you": "hattest", "he": "hatte", "they": "hatten"},
}
_WERDEN = {"present": {"I": "werde", "you": "wirst", "he": "wird", "they": "werden"}}
_AUXILIARIES = {"sein": _SEIN, "haben": _HABEN, "werden": _WERDEN}
# Singular, plural and preterite of the modal verbs, and of wissen, which goes like them.
_MODALS = {
    "können": ("kann", "können", "konnte"),
    "müssen": ("muss", "müssen", "musste"),
    "dürfen": ("darf", "dürfen", "durfte"),
    "wollen": ("will", "wollen", "wollte"),
    "wissen": ("weiß", "wissen", "wusste"),
}


def determiner(word: str, case: str, gender: str) -> str:
    """The form of a determiner, which is one of ``meaning.Determiner`` or "no".

    ``case`` is "nom", "acc" or "dat", for "the" and the like of "a" also "gen"; ``gender`` is "m",
    "f", "n", or "p" for the plural of all three.
    """
    column = _GENDERS.index(gender)
    if word == "the":
        return DEFINITE[case][column]
    if word in _DER_WORDS:
        return _DER_WORDS[word] + _DER_ENDINGS[case][column]
    if word in _EIN_WORDS:
        return _EIN_WORDS[word] + _EIN_ENDINGS[case][column]
    return "viele" + ("n" if case == "dat" else "") if word == "many" else ""


def relative_pronoun(case: str, gender: str) -> str:
    """der, die, das, which differ from the article in the dative plural alone."""
    return "denen" if (case, gender) == ("dat", "p") else determiner("the", case, gender)


def adjective_ending(word: str, case: str, gender: str) -> str:
    """The ending of an adjective after the determiner ``word``."""
    declension = "strong"
    if word == "the" or word in _DER_WORDS:
        declension = "weak"
    elif word in _EIN_WORDS:
        declension = "mixed"
    return _ADJECTIVE_ENDINGS[declension][case][_GENDERS.index(gender)]


def noun_form(noun: Noun, case: str, *, plural: bool) -> str:
    """The noun in its case: Kindern, Studenten, Vaters, Mannes."""
    if plural:
        adds_n = case == "dat" and not noun.german_plural.endswith(("n", "s"))
        return noun.german_plural + "n" * adds_n
    if noun.weak_ending:
        return noun.german + noun.weak_ending * (case != "nom")
    if case != "gen" or noun.gender == "f":
        return noun.german
    one_syllable = len(re.findall("[aeiouäöü]+", noun.german.lower())) == 1
    return noun.german + ("es" if one_syllable else "s")


def contract(preposition: str, phrase: str) -> str:
    """The preposition and its phrase, melted where German melts them: im Garten, zur Schule."""
    first, _, rest = phrase.partition(" ")
    if (preposition, first) in _CONTRACTIONS:
        return f"{_CONTRACTIONS[preposition, first]} {rest}"
    return f"{preposition} {phrase}"


def finite(infinitive: str, person: str, *, past: bool = False) -> str:
    """The finite form of an auxiliary or modal verb."""
    person = _slot(person)
    if infinitive in _AUXILIARIES:
        return _AUXILIARIES[infinitive]["past" if past else "present"][person]
    singular, plural, preterite = _MODALS[infinitive]
    if past:
        return _preterite(preterite, person)
    if person == "they":
        return plural
    return _second_person(singular) if person == "you" else singular


def finite_verb(verb: GermanVerb, person: str, *, past: bool = False) -> str:
    """The finite form of a full verb, without its separable prefix."""
    if verb.infinitive in _AUXILIARIES or verb.infinitive in _MODALS:
        return finite(verb.infinitive, person, past=past)
    person = _slot(person)
    if past:
        return _preterite(verb.preterite, person)
    if person == "they":
        return verb.infinitive
    if person == "he":
        return verb.third
    if person == "you":
        return _second_person(verb.third.removesuffix("t"))
    return _stem(verb) + "e"


def imperative(verb: GermanVerb) -> str:
    """The request to one friend: lies, gib, mach, arbeite."""
    stem, third = _stem(verb), verb.third.removesuffix("t")
    if "e" in stem and "i" in third and "i" not in stem:
        return third
    if stem.endswith(("t", "d", "er")) or verb.third.endswith("et"):
        return stem + "e"
    return stem


def zu_infinitive(verb: GermanVerb) -> str:
    """zu lesen, aufzumachen."""
    if verb.prefix:
        return f"{verb.prefix}zu{verb.infinitive}"
    return f"zu {verb.infinitive}"


def _slot(person: str) -> str:
    """The person as the tables know it: the third person singular is "he", the plural "they"."""
    return {"she": "he", "it": "he", "we": "they"}.get(person, person)


def _second_person(stem: str) -> str:
    return stem + ("t" if stem.endswith(("s", "ß", "z")) else "st")


def _stem(verb: GermanVerb) -> str:
    return verb.infinitive.removesuffix("n").removesuffix("e")


def _preterite(form: str, person: str) -> str:
    if person == "they":
        return form + ("n" if form.endswith("e") else "en")
    if person == "you":
        return form + "st"
    return form

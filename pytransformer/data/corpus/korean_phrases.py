"""Korean noun phrases and their particles, without relative clauses."""

from __future__ import annotations

from pytransformer.data.corpus.hangul import particle
from pytransformer.data.corpus.korean_forms import attributive
from pytransformer.data.corpus.lexicon import ADJECTIVES, NAMES, NOUNS, NUMBERS, RELATIONS
from pytransformer.data.corpus.meaning import (
    Asked,
    Both,
    Gap,
    Location,
    Name,
    Phrase,
    Pronoun,
    Thing,
)

# The addressee of a question, the weather's "it" and a gap are left unsaid.
_UNSAID = {"you": "", "it": ""}
_PRONOUNS = {"I": "저", "he": "그", "she": "그녀", "we": "우리", "they": "그들", **_UNSAID}
_OWNERS = {"my": "제", "his": "그의", "her": "그녀의", "our": "우리", "their": "그들의"}
_DETERMINERS = {**_OWNERS, "this": "이", "every": "모든", "many": "많은"}
_CONTRACTIONS = {"저가": "제가", "누구가": "누가"}


def bare(phrase: Phrase) -> str:
    """The phrase without a particle; empty where Korean says nothing."""
    match phrase:
        case Pronoun(person):
            return _PRONOUNS[person]
        case Name(name):
            return NAMES[name]
        case Both(first, second):
            return f"{particle(bare(first), 'with')} {bare(second)}"
        case Gap():
            return ""
        case Asked():
            return "누구"
        case Thing():
            return _thing(phrase)


def marked(text: str, role: str) -> str:
    """The text with the particle of ``role``: one of ``hangul.PARTICLES``, or "to" or "of"."""
    if not text:
        return ""
    if role == "to":
        return text + "에게"
    if role == "of":
        return {"저": "제"}.get(text, text + "의")
    word = particle(text, role)
    return _CONTRACTIONS.get(word, word)


def subject_role(subject: Phrase, *, topic: bool) -> str:
    """A known subject of a main clause is its topic; a new or embedded one takes 이 or 가."""
    known = not isinstance(subject, Asked) and not (
        isinstance(subject, Thing) and not subject.definite
    )
    return "topic" if topic and known else "subject"


def place(location: Location) -> str:
    """The location without its particle: 공원, 탁자 위."""
    text = bare(location.thing)
    return text if location.relation == "at" else f"{text} {RELATIONS[location.relation][1]}"


def _thing(thing: Thing) -> str:
    noun = NOUNS[thing.noun]
    words = []
    if thing.owner:
        words.append(marked(bare(thing.owner), "of"))
    elif thing.determiner in _DETERMINERS:
        words.append(_DETERMINERS[thing.determiner])
    if thing.adjective:
        adjective = ADJECTIVES[thing.adjective]
        words.append(adjective.fixed or attributive(adjective.korean))
    living = "person" in noun.kinds or "animal" in noun.kinds
    plural = thing.plural and not thing.count and (living or thing.definite)
    words.append(noun.korean + "들" * plural)
    if thing.count:
        words += [NUMBERS[thing.count].korean, noun.counter]
    return " ".join(words)

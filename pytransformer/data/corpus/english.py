"""Meanings in English."""

from __future__ import annotations

from pytransformer.data.corpus.english_forms import (
    BE_PAST,
    BE_PRESENT,
    PRONOUNS,
    article,
    finite,
    gerund,
    possessive,
)
from pytransformer.data.corpus.lexicon import (
    ADJECTIVES,
    INFINITIVES,
    NOUNS,
    NUMBERS,
    REPORTS,
    VERBS,
    EnglishVerb,
)
from pytransformer.data.corpus.meaning import (
    Asked,
    Both,
    Clause,
    Gap,
    Linked,
    Location,
    Name,
    Phrase,
    Presence,
    Pronoun,
    Question,
    Reported,
    Request,
    Sentence,
    Statement,
    Thing,
)

_SIMPLE_MODALS = {
    ("can", False): "can",
    ("can", True): "could",
    ("must", False): "must",
    ("may", False): "may",
}
_DEMONSTRATIVES = {False: "this", True: "these"}


def english(sentence: Sentence) -> str:
    """The English sentence, with its punctuation."""
    mark = "?" if isinstance(sentence, Question) else "."
    text = _sentence(sentence)
    return text[0].upper() + text[1:] + mark


def _sentence(sentence: Sentence) -> str:
    match sentence:
        case Statement(clause):
            return _clause(clause)
        case Presence(thing, location, tense):
            be = _be(_person(thing), past=tense == "past")
            return _join("there", be, _phrase(thing), _location(location))
        case Question(clause, word):
            return _question(clause, word)
        case Request(clause):
            before = "do not" if clause.negated else ""
            verb = VERBS[clause.verb].english
            return _join("please", before, verb.base, _complements(clause, verb))
        case Linked(main, link, other, other_first):
            if other_first:
                return f"{link} {_clause(other)}, {_clause(main)}"
            comma = "," if link in ("so", "but") else ""
            return f"{_clause(main)}{comma} {link} {_clause(other)}"
        case Reported(subject, report, clause):
            entry, who = REPORTS[report], _person(subject)
            knows = finite(entry.english, who, past=False)
            if report == "not know":
                knows = f"{_do(who, past=False)} not {entry.english.base}"
            return _join(_phrase(subject), knows, entry.link, _clause(clause))


def _clause(clause: Clause) -> str:
    first, rest, verb = _verb_group(clause, inverted=False)
    before = clause.time if clause.time_first else ""
    subject, after = _phrase(clause.subject), _complements(clause, verb)
    return _join(before, subject, first, clause.frequency, *rest, after)


def _question(clause: Clause, word: str | None) -> str:
    if word == "who":
        return _clause(clause)
    first, rest, verb = _verb_group(clause, inverted=True)
    subject, after = _phrase(clause.subject), _complements(clause, verb)
    asked = "who" if word == "whom" else word
    return _join(asked, first, subject, clause.frequency, *rest, after)


def _verb_group(clause: Clause, *, inverted: bool) -> tuple[str, list[str], EnglishVerb | None]:
    """The word that agrees, the verb's other words, and the verb whose complements follow."""
    person, past = _person(clause.subject), clause.tense == "past"
    if clause.verb == "be":
        return _be(person, past=past), _negation(clause), None
    verb = VERBS[clause.verb].english
    if clause.modal in ("can", "must", "may"):
        if clause.modal == "must" and past:
            return "had", ["to", verb.base], verb
        modal = _SIMPLE_MODALS[clause.modal, past]
        if modal == "can" and clause.negated:
            return "cannot", [verb.base], verb
        return modal, [*_negation(clause), verb.base], verb
    head, tail = verb, []
    if clause.modal:
        head, tail = INFINITIVES[clause.modal].english, ["to", verb.base]
    first, rest = _tensed(clause, head, inverted=inverted)
    return first, rest + tail, verb


def _tensed(clause: Clause, head: EnglishVerb, *, inverted: bool) -> tuple[str, list[str]]:
    person, negation = _person(clause.subject), _negation(clause)
    if clause.tense == "progressive":
        return _be(person, past=False), [*negation, gerund(head.base)]
    if clause.tense == "perfect":
        return "has" if person == "he" else "have", [*negation, head.participle]
    if clause.tense == "future":
        return "will", [*negation, head.base]
    past = clause.tense == "past"
    if clause.negated or inverted:
        return _do(person, past=past), [*negation, head.base]
    if clause.frequency:
        return "", [finite(head, person, past=past)]
    return finite(head, person, past=past), []


def _be(person: str, *, past: bool) -> str:
    return BE_PAST.get(person, "were") if past else BE_PRESENT.get(person, "are")


def _do(person: str, *, past: bool) -> str:
    if past:
        return "did"
    return "does" if person == "he" else "do"


def _negation(clause: Clause) -> list[str]:
    return ["not"] if clause.negated else []


def _complements(clause: Clause, verb: EnglishVerb | None) -> str:
    """What follows the verb: particle, objects, quality, manner, location and time."""
    words: list[str | None] = []
    rest = verb.rest if verb else ""
    theme = _phrase(clause.object, objective=True) if clause.object else ""
    if verb and verb.moves and isinstance(clause.object, Pronoun):
        words += [theme, rest]
    elif clause.recipient is None:
        words += [rest, theme]
    elif isinstance(clause.recipient, Pronoun):
        words += [_phrase(clause.recipient, objective=True), theme]
    else:
        words += [theme, "to", _phrase(clause.recipient, objective=True)]
    if clause.quality:
        words.append(_quality(clause))
    words.append(clause.manner)
    if clause.location:
        goal = clause.verb != "be" and "goal" in VERBS[clause.verb].flags
        words.append(_location(clause.location, goal=goal))
    if not clause.time_first:
        words.append(clause.time)
    return _join(*words)


def _quality(clause: Clause) -> str:
    assert clause.quality
    if clause.than is None:
        return clause.quality
    return f"{ADJECTIVES[clause.quality].comparative} than {_phrase(clause.than)}"


def _location(location: Location, *, goal: bool = False) -> str:
    noun = NOUNS[location.thing.noun]
    preposition = location.relation
    if preposition == "at":
        return _join(noun.to if goal else noun.at, _phrase(location.thing))
    return _join(preposition, _phrase(location.thing))


def _phrase(phrase: Phrase, *, objective: bool = False) -> str:
    match phrase:
        case Pronoun(person):
            return PRONOUNS[person][objective]
        case Name(name):
            return name
        case Both(first, second):
            return f"{_phrase(first)} and {_phrase(second)}"
        case Gap():
            return ""
        case Asked():
            return "" if objective else "who"
        case Thing():
            return _thing(phrase)


def _thing(thing: Thing) -> str:
    noun = NOUNS[thing.noun]
    word = noun.plural if thing.plural else noun.concept
    core = _join(thing.adjective, word)
    if thing.owner:
        core = _join(possessive(_phrase(thing.owner)), core)
    elif thing.count:
        core = _join(NUMBERS[thing.count].english, core)
    elif thing.determiner == "a":
        core = _join(article(core), core)
    elif thing.determiner == "this":
        core = _join(_DEMONSTRATIVES[thing.plural], core)
    elif thing.determiner != "bare":
        core = _join(thing.determiner, core)
    if thing.relative is None:
        return core
    return _join(core, "who" if "person" in noun.kinds else "that", _clause(thing.relative))


def _person(phrase: Phrase) -> str:
    """ "I", "he" for every third person singular, "they" for the rest."""
    match phrase:
        case Pronoun(person):
            return person if person == "I" else "he" if person in ("he", "she", "it") else "they"
        case Gap(head):
            return _person(head)
        case Thing():
            return "they" if phrase.plural else "he"
        case Both():
            return "they"
        case Name() | Asked():
            return "he"


def _join(*words: str | None) -> str:
    return " ".join(word for word in words if word)

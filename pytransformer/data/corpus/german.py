"""Meanings in German.

A clause is a subject, a finite verb, a middle field and a right bracket. What differs between
clauses is only where the finite verb goes: second, first, or last. The middle field keeps one
order: pronouns, frequency, time, dative, definite accusative, "nicht", manner, place, indefinite
accusative, then what belongs closest to the verb (prepositional object, goal, predicate). Negation
draws the time towards it, behind the definite objects.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

from pytransformer.data.corpus.german_forms import (
    REFLEXIVES,
    contract,
    finite,
    finite_verb,
    imperative,
    zu_infinitive,
)
from pytransformer.data.corpus.german_phrases import (
    agreement,
    in_case,
    in_place,
    with_determiner,
)
from pytransformer.data.corpus.lexicon import (
    ADJECTIVES,
    FREQUENCIES,
    INFINITIVES,
    MANNERS,
    REPORTS,
    TIMES,
    VERBS,
    GermanVerb,
)
from pytransformer.data.corpus.meaning import (
    Asked,
    Clause,
    Gap,
    Linked,
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

Position = Literal["second", "first", "last"]

_BE = GermanVerb("sein", "ist", "war", "gewesen", auxiliary="sein")
_MODALS = {"can": "können", "must": "müssen", "may": "dürfen", "want": "wollen"}
_QUESTION_WORDS = {"what": "was", "where": "wo", "when": "wann", "why": "warum"}
_LINKS = {"because": "weil", "if": "wenn", "and": "und", "but": "aber"}


class _VerbGroup(NamedTuple):
    """The finite word, what stands at the end, and the verb of an infinitive clause after that."""

    finite: str
    prefix: str
    bracket: tuple[str, ...] = ()
    infinitive: str = ""


class _MiddleField(NamedTuple):
    """``clitics`` go before a noun subject that does not open the sentence, ``rest`` after it."""

    clitics: tuple[str, ...]
    rest: tuple[str, ...]


class _Objects(NamedTuple):
    """Objects by their place, empty where there are none.

    ``late`` is a pronoun that must not come before the subject, ``known`` and ``new`` tell the
    definite ones from the others, ``close`` is prepositional. ``denied`` says that the negation is
    in the object ("kein").
    """

    clitics: tuple[str, ...]
    late: str = ""
    known: tuple[str, ...] = ()
    new: str = ""
    close: str = ""
    denied: bool = False


def german(sentence: Sentence) -> str:
    """The German sentence, with its punctuation."""
    mark = "?" if isinstance(sentence, Question) else "."
    # A relative clause ends in a comma, which other punctuation swallows.
    text = _sentence(sentence).removesuffix(",").replace(",,", ",")
    return text[0].upper() + text[1:] + mark


def _sentence(sentence: Sentence) -> str:
    match sentence:
        case Statement(clause):
            return _clause(clause, "second")
        case Presence(thing, location, tense):
            be = finite_verb(_BE, agreement(thing), past=tense == "past")
            return _join(in_place(location, goal=False), be, in_case(thing, "nom"))
        case Question(clause, word):
            if word == "who":
                return _clause(clause, "second")
            return _join(_question_word(clause, word), _clause(clause, "first"))
        case Request(clause):
            verb = VERBS[clause.verb].german
            field = _middle_field(clause, verb)
            return _join("bitte", imperative(verb), *field.clitics, *field.rest, verb.prefix)
        case Linked():
            return _linked(sentence)
        case Reported(subject, report, clause):
            entry = REPORTS[report]
            says = finite_verb(entry.german, agreement(subject))
            denial = "nicht" if report == "not know" else ""
            head = _join(in_case(subject, "nom"), says, denial)
            return f"{head}, {entry.german_link} {_clause(clause, 'last')}"


def _linked(sentence: Linked) -> str:
    main, other = sentence.main, sentence.other
    if sentence.link == "so":
        return f"{_clause(main, 'second')}, deshalb {_clause(other, 'first')}"
    if sentence.link in ("and", "but"):
        comma = "," if sentence.link == "but" else ""
        link = _LINKS[sentence.link]
        return f"{_clause(main, 'second')}{comma} {link} {_clause(other, 'second')}"
    if sentence.link == "when":
        link = "als" if other.tense == "past" else "wenn"
    else:
        link = _LINKS[sentence.link]
    subordinate = f"{link} {_clause(other, 'last')}"
    if sentence.other_first:
        return f"{subordinate}, {_clause(main, 'first')}"
    return f"{_clause(main, 'second')}, {subordinate}"


def _question_word(clause: Clause, word: str | None) -> str:
    if word is None:
        return ""
    if word == "whom":
        return in_case(Asked(), VERBS[clause.verb].german.case)
    if word == "where" and "goal" in VERBS[clause.verb].flags:
        return "wohin"
    return _QUESTION_WORDS[word]


def _clause(clause: Clause, position: Position) -> str:
    clause = _turned(clause)
    verb = _BE if clause.verb == "be" else VERBS[clause.verb].german
    group = _verb_group(clause, verb)
    field = _middle_field(clause, verb)
    infinitive = ""
    if group.infinitive:
        content = (*field.clitics, *field.rest)
        infinitive = (", " if content else " ") + _join(*content, group.infinitive)
        field = _MiddleField((), ())
    subject = _phrase(clause.subject, "nom")
    if isinstance(clause.subject, Pronoun | Gap):
        inner = [subject, *field.clitics, *field.rest, *group.bracket]
    else:
        inner = [*field.clitics, subject, *field.rest, *group.bracket]
    if position == "last":
        words = [_relative_object(clause, verb), *inner, group.prefix + group.finite]
    elif position == "first":
        words = [group.finite, *inner, group.prefix]
    elif clause.time_first and clause.time:
        words = [TIMES[clause.time].german, group.finite, *inner, group.prefix]
    else:
        words = [subject, group.finite, *field.clitics, *field.rest, *group.bracket, group.prefix]
    return _join(*words) + infinitive


def _turned(clause: Clause) -> Clause:
    """Whatever someone likes pleases them: it is the subject of the German verb."""
    if clause.verb == "like" and clause.object is not None:
        return replace(clause, subject=clause.object, object=clause.subject)
    return clause


def _phrase(phrase: Phrase, case: str) -> str:
    """The phrase with its relative clause, closed by a comma."""
    text = in_case(phrase, case)
    if isinstance(phrase, Thing) and phrase.relative:
        return f"{text}, {_clause(phrase.relative, 'last')},"
    return text


def _relative_object(clause: Clause, verb: GermanVerb) -> str:
    """The relative pronoun of an object, which opens its clause, with its preposition."""
    if isinstance(clause.object, Gap):
        return _join(verb.preposition, in_case(clause.object, verb.case))
    return ""


def _verb_group(clause: Clause, verb: GermanVerb) -> _VerbGroup:
    who, past = agreement(clause.subject), clause.tense == "past"
    if clause.modal in _MODALS:
        # What one must not do, one "darf nicht": "muss nicht" means that one need not.
        denied = clause.modal == "must" and clause.negated
        modal = "dürfen" if denied else _MODALS[clause.modal]
        return _VerbGroup(finite(modal, who, past=past), "", (verb.prefix + verb.infinitive,))
    infinitive = ""
    if clause.modal:
        infinitive, verb = zu_infinitive(verb), INFINITIVES[clause.modal].german
    if clause.tense == "perfect":
        return _VerbGroup(finite(verb.auxiliary, who), "", (verb.participle,), infinitive)
    if clause.tense == "future":
        bracket = (verb.prefix + verb.infinitive,)
        return _VerbGroup(finite("werden", who), "", bracket, infinitive)
    return _VerbGroup(finite_verb(verb, who, past=past), verb.prefix, (), infinitive)


def _middle_field(clause: Clause, verb: GermanVerb) -> _MiddleField:
    objects = _objects(clause, verb)
    place, goal = _place(clause)
    when = (
        FREQUENCIES[clause.frequency].german if clause.frequency else "",
        "gerade" if clause.tense == "progressive" else "",
        TIMES[clause.time].german if clause.time and not clause.time_first else "",
    )
    rest = (
        objects.late,
        *((*objects.known, *when) if clause.negated else (*when, *objects.known)),
        "nicht" if clause.negated and not objects.denied else "",
        MANNERS[clause.manner].german if clause.manner else "",
        place,
        objects.new,
        objects.close,
        goal,
        _quality(clause),
    )
    return _MiddleField(tuple(filter(None, objects.clitics)), tuple(filter(None, rest)))


def _objects(clause: Clause, verb: GermanVerb) -> _Objects:
    """The objects by where they go in the middle field."""
    theme, denied = _theme(clause, verb)
    reflexive = REFLEXIVES.get(agreement(clause.subject), "sich") if verb.reflexive else ""
    if verb.preposition:
        close = contract(verb.preposition, theme) if theme else ""
        return _Objects(clitics=(reflexive,), close=close)
    dative = in_case(clause.recipient, "dat") if clause.recipient else ""
    if verb.case == "dat":
        dative, theme = theme, ""
    # What pleases someone comes after whom it pleases, unless it opens the sentence.
    early = clause.verb == "like" or isinstance(clause.recipient or clause.object, Pronoun)
    clitic, known = (dative, "") if early else ("", dative)
    if theme == "sie":
        # Before a noun it would be heard as the subject.
        return _Objects((reflexive, clitic), late=theme, known=(known,))
    if isinstance(clause.object, Pronoun):
        return _Objects((theme, reflexive, clitic), known=(known,))
    if isinstance(clause.object, Thing) and not clause.object.definite:
        return _Objects((reflexive, clitic), known=(known,), new=theme, denied=denied)
    return _Objects((reflexive, clitic), known=(known, theme))


def _theme(clause: Clause, verb: GermanVerb) -> tuple[str, bool]:
    """The object in its case, and whether it carries the negation ("kein")."""
    thing = clause.object
    if thing is None or isinstance(thing, Gap | Asked):
        return "", False
    indefinite = isinstance(thing, Thing) and thing.determiner in ("a", "bare") and not thing.count
    if clause.negated and indefinite and verb.case == "acc" and not verb.preposition:
        assert isinstance(thing, Thing)
        return with_determiner(thing, "no", "acc"), True
    return _phrase(thing, verb.case), False


def _place(clause: Clause) -> tuple[str, str]:
    """The location as a free adverbial, or as what the verb asks for."""
    if clause.location is None:
        return "", ""
    flags = VERBS[clause.verb].flags
    text = in_place(clause.location, goal="goal" in flags)
    return ("", text) if "goal" in flags or "stay" in flags else (text, "")


def _quality(clause: Clause) -> str:
    if not clause.quality:
        return ""
    adjective = ADJECTIVES[clause.quality]
    if clause.than is None:
        return adjective.german
    return f"{adjective.german_comparative} als {in_case(clause.than, 'nom')}"


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)

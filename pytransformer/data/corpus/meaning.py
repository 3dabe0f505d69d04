"""What a sentence says, before any language says it.

Nouns, verbs and adjectives are named by their concept, which is the English dictionary form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Determiner = Literal[
    "the", "a", "bare", "this", "every", "many", "my", "his", "her", "our", "their"
]
Person = Literal["I", "you", "he", "she", "it", "we", "they"]
Tense = Literal["present", "progressive", "past", "perfect", "future"]
Modal = Literal["can", "must", "may", "want", "try", "begin", "hope", "promise", "forget"]
Relation = Literal["at", "on", "under", "next to", "behind", "in front of"]
QuestionWord = Literal["who", "whom", "what", "where", "when", "why"]
Link = Literal["because", "if", "when", "so", "and", "but"]
Report = Literal["know", "think", "say", "hope", "not know", "ask"]


@dataclass(frozen=True, slots=True)
class Thing:
    """A noun with what belongs to it.

    Attributes:
        noun: the concept.
        determiner: "bare" is none at all, for substances and indefinite plurals.
        plural: more than one.
        adjective: a concept, or None.
        count: from 2, with a bare plural; 0 for no number.
        owner: whose it is ("the teacher's book"), with the determiner "the".
        relative: a clause with a ``Gap`` where this thing would stand.
    """

    noun: str
    determiner: Determiner = "the"
    plural: bool = False
    adjective: str | None = None
    count: int = 0
    owner: Thing | Name | None = None
    relative: Clause | None = None

    @property
    def definite(self) -> bool:
        """Whether the listener knows which one is meant."""
        return self.determiner not in ("a", "bare", "every", "many")


@dataclass(frozen=True, slots=True)
class Pronoun:
    """A person named by the role in the conversation; "it" is the subject of the weather."""

    person: Person


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name."""

    name: str


@dataclass(frozen=True, slots=True)
class Both:
    """Two together: "the man and the woman"."""

    first: Thing | Name
    second: Thing | Name


@dataclass(frozen=True, slots=True)
class Gap:
    """The place in a relative clause of the thing it describes."""

    head: Thing


@dataclass(frozen=True, slots=True)
class Asked:
    """The place in a question of what is asked for."""


Phrase = Thing | Pronoun | Name | Both | Gap | Asked


@dataclass(frozen=True, slots=True)
class Location:
    """Where, or where to; "at" is the relation that the noun itself asks for."""

    thing: Thing
    relation: Relation = "at"


@dataclass(frozen=True, slots=True)
class Clause:
    """Who does what to whom, where, when and how.

    Attributes:
        subject: who does it.
        verb: a concept; "be" together with ``quality``.
        object: what or whom it is done to.
        recipient: who gets the object.
        location: where it happens, or for a verb with a goal, where to.
        time, frequency, manner: adverbials, by concept.
        time_first: whether the time opens the sentence.
        quality: the adjective said of the subject.
        than: with a quality, what the subject is compared with.
        modal: can, must, may, want, or a verb that takes an infinitive ("tries to").
    """

    subject: Phrase
    verb: str
    object: Phrase | None = None
    recipient: Phrase | None = None
    location: Location | None = None
    time: str | None = None
    frequency: str | None = None
    manner: str | None = None
    time_first: bool = False
    quality: str | None = None
    than: Thing | Name | None = None
    tense: Tense = "present"
    modal: Modal | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A clause said to be so."""

    clause: Clause


@dataclass(frozen=True, slots=True)
class Presence:
    """There is a thing at a location; the tense is present or past."""

    thing: Thing
    location: Location
    tense: Tense = "present"


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a clause is so, or with a word, what is missing in it.

    "who" comes with ``Asked`` as the subject, "whom" and "what" with ``Asked`` as the object.
    """

    clause: Clause
    word: QuestionWord | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A clause whose subject, "you", is asked to make it so."""

    clause: Clause


@dataclass(frozen=True, slots=True)
class Linked:
    """A main clause and another one.

    With "because", "if" and "when", ``other`` is subordinate and may open the sentence
    (``other_first``). With "and", "but" and "so", it follows ``main``.
    """

    main: Clause
    link: Link
    other: Clause
    other_first: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """Someone knows, thinks, says or hopes that a clause is so, or asks whether it is."""

    subject: Phrase
    report: Report
    clause: Clause


Sentence = Statement | Presence | Question | Request | Linked | Reported

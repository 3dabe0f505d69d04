"""Draws the phrases of a sentence: who, what, where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from pytransformer.data.corpus.dice import Dice
from pytransformer.data.corpus.lexicon import ADJECTIVES, NAMES, NOUNS, NUMBERS, members
from pytransformer.data.corpus.meaning import (
    Both,
    Determiner,
    Location,
    Name,
    Person,
    Phrase,
    Pronoun,
    Relation,
    Thing,
)

SPEAKERS: tuple[Person, ...] = ("I", "he", "she", "we", "they")
_OWNED: tuple[Determiner, ...] = ("my", "his", "her", "our", "their")
_RELATIONS: tuple[Relation, ...] = get_args(Relation)[1:]
_ADJECTIVES = {
    concept: tuple(name for name, entry in ADJECTIVES.items() if concept in members(entry.kinds))
    for concept in NOUNS
}


class PhraseSampler:
    """Noun phrases that a textbook could contain.

    A ``definite`` phrase is one that can stand before "nicht" and as the topic of a sentence.
    """

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def subject(self, kinds: tuple[str, ...], *, definite: bool = False) -> Phrase:
        """Who does something; people may be pronouns, names or two together."""
        dice = self.dice
        if "person" in kinds or "adult" in kinds:
            form = dice.weighted((("noun", 60), ("pronoun", 24), ("name", 10), ("both", 6)))
            if form == "pronoun":
                return Pronoun(dice.one(SPEAKERS))
            if form == "name":
                return self.name()
            if form == "both":
                return self.both(kinds)
        return self.thing(members(kinds), definite=definite)

    def name(self) -> Name:
        """Somebody's name."""
        return Name(self.dice.one(tuple(NAMES)))

    def both(self, kinds: tuple[str, ...]) -> Both:
        """Two different people."""
        if self.dice.chance(0.4):
            first, second = self.name(), self.name()
            if first != second:
                return Both(first, second)
        concept = self.dice.one(members(kinds))
        others = [other for other in members(kinds) if other != concept]
        return Both(Thing(concept), Thing(self.dice.one(others)))

    def patient(
        self, kinds: tuple[str, ...], subject: Phrase, *, definite: bool = False
    ) -> Thing | Name | Pronoun:
        """Whom or what something is done to: never the noun or the person that does it."""
        dice = self.dice
        taken = subject.noun if isinstance(subject, Thing) else None
        concepts = [concept for concept in members(kinds) if concept != taken]
        concept = dice.one(concepts)
        if "person" in NOUNS[concept].kinds:
            if dice.chance(0.3):
                return self.other_person(subject)
            if dice.chance(0.12) and not isinstance(subject, Name):
                return self.name()
            definite = definite or dice.chance(0.7)
        return self.thing([concept], definite=definite)

    def other_person(self, subject: Phrase) -> Pronoun:
        """A pronoun for somebody who is not the subject."""
        first = ("I", "we")
        me = isinstance(subject, Pronoun) and subject.person in first
        return Pronoun(self.dice.one([one for one in SPEAKERS if not (me and one in first)]))

    def thing(self, concepts: Sequence[str], *, definite: bool = False, new: bool = False) -> Thing:
        """One of the nouns, with a determiner, perhaps a number, an adjective or an owner.

        A ``new`` one is not known to the listener: "a dog", "two dogs".
        """
        dice = self.dice
        concept = dice.one(concepts)
        noun = NOUNS[concept]
        owner: Thing | Name | None = None
        plural, count = False, 0
        determiner = self._determiner(concept, definite=definite, new=new)
        if determiner == "bare" and not noun.substance:
            plural, count = True, dice.one((0, *NUMBERS))
        elif determiner == "many":
            plural = True
        elif determiner not in ("a", "every") and not noun.substance:
            plural = "place" not in noun.kinds and dice.chance(0.2)
        if determiner == "the" and self._ownable(concept) and dice.chance(0.1):
            owner = self._owner(concept)
        adjective = None
        # People are mostly just who they are.
        if _ADJECTIVES[concept] and dice.chance(0.12 if "person" in noun.kinds else 0.35):
            adjective = dice.one(_ADJECTIVES[concept])
        return Thing(concept, determiner, plural, adjective, count, owner)

    def location(self, concepts: Sequence[str]) -> Location:
        """At one of the places, or on, under, beside one of the other things."""
        concept = self.dice.one(concepts)
        if "place" not in NOUNS[concept].kinds:
            return Location(self._landmark(concept), self.dice.one(_RELATIONS))
        return Location(self._landmark(concept))

    def _landmark(self, concept: str) -> Thing:
        adjective = None
        if self.dice.chance(0.15) and _ADJECTIVES[concept]:
            adjective = self.dice.one(_ADJECTIVES[concept])
        owned = "home" in NOUNS[concept].kinds and concept != "city" and self.dice.chance(0.3)
        return Thing(concept, self.dice.one(_OWNED) if owned else "the", adjective=adjective)

    def _determiner(self, concept: str, *, definite: bool, new: bool) -> Determiner:
        dice, noun = self.dice, NOUNS[concept]
        kin = "kin" in noun.kinds
        owned = (50.0 if kin else 15.0) if self._ownable(concept) else 0.0
        known: list[tuple[Determiner, float]] = [
            ("the", 50.0),
            ("this", 8.0),
            (dice.one(_OWNED), owned),
        ]
        unknown: list[tuple[Determiner, float]] = [("bare", 50.0)]
        if not noun.substance:
            unknown = [("a", 20.0), ("bare", 12.0)]
            if "place" not in noun.kinds:
                unknown.append(("many", 3.0))
        if new:
            return dice.weighted(unknown)
        if definite or kin:
            return dice.weighted(known)
        if not noun.substance:
            unknown.append(("every", 3.0))
        return dice.weighted(known + unknown)

    def _ownable(self, concept: str) -> bool:
        kinds = NOUNS[concept].kinds
        if "person" in kinds:
            return "kin" in kinds
        return not {"place", "carrier", "food", "drink", "event"} & set(kinds)

    def _owner(self, concept: str) -> Thing | Name:
        if self.dice.chance(0.4):
            return self.name()
        people = [other for other in members(("person",)) if other != concept]
        person = self.dice.one(people)
        kin = "kin" in NOUNS[person].kinds
        return Thing(person, self.dice.one(_OWNED) if kin else "the")

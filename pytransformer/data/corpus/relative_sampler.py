"""Draws statements whose subject or object is described by a relative clause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytransformer.data.corpus.clause_sampler import ACTIONS, PERSONAL, ClauseSampler
from pytransformer.data.corpus.lexicon import NOUNS, VERBS, Verb, members
from pytransformer.data.corpus.meaning import (
    Clause,
    Gap,
    Location,
    Phrase,
    Sentence,
    Statement,
    Thing,
)

_PEOPLE = members(("person",))
_SURFACES = members(("surface",))
# Korean drops the particle of the described noun, so it must be one that needs no saying.
_PLAIN = tuple(
    verb for verb in ACTIONS if verb.korean_object == "object" and verb.concept != "like"
)
_ACTS = {
    concept: tuple(
        verb for verb in ACTIONS if verb.concept != "like" and concept in members(verb.subjects)
    )
    for concept in NOUNS
}
_SUFFERS = {
    concept: tuple(
        verb for verb in _PLAIN if not verb.german.reflexive and concept in members(verb.objects)
    )
    for concept in NOUNS
}
# The object ends the German clause, and so does the relative clause after it.
_FINAL = tuple(
    verb
    for verb in _PLAIN
    if not verb.german.prefix
    and not {"give", "goal"} & set(verb.flags)
    and any(_SUFFERS[concept] for concept in members(verb.objects))
)


class RelativeSampler:
    """Statements with a relative clause, in which no noun occurs twice."""

    def __init__(self, clauses: ClauseSampler) -> None:
        self.clauses = clauses
        self.dice = clauses.dice

    def of_subject(self) -> Sentence:
        """The woman who reads the book waits for the bus."""
        head = self._described(self._head(_PEOPLE), None)
        clause = self.clauses.action(PERSONAL, subject=head, definite=True)
        return self._statement(clause)

    def of_object(self) -> Sentence:
        """The woman buys the book that the man reads."""
        clause = self.clauses.action(_FINAL, tenses=("present", "past"))
        taken = clause.subject.noun if isinstance(clause.subject, Thing) else None
        objects = members(VERBS[clause.verb].objects)
        names = [name for name in objects if name != taken and _SUFFERS[name]]
        return self._statement(replace(clause, object=self._described(self._head(names), taken)))

    def _statement(self, clause: Clause) -> Statement:
        return Statement(self.clauses.timed(clause) if self.dice.chance(0.3) else clause)

    def _head(self, concepts: Sequence[str]) -> Thing:
        concept = self.dice.one(concepts)
        noun = NOUNS[concept]
        if noun.substance:
            return Thing(concept)
        if "kin" not in noun.kinds and self.dice.chance(0.2):
            return Thing(concept, "a")
        return Thing(concept, plural=self.dice.chance(0.2))

    def _described(self, head: Thing, taken: str | None) -> Thing:
        """The head with a clause in which it is the subject or the object; ``taken`` is barred."""
        kinds = NOUNS[head.noun].kinds
        if ("flat" in kinds or "upright" in kinds) and self.dice.chance(0.4):
            place: Location = self.clauses.phrases.location(_SURFACES)
            clause = Clause(Gap(head), "lie" if "flat" in kinds else "stand", location=place)
        elif ("person" in kinds or "animal" in kinds) and self.dice.chance(0.65):
            clause = self._without((taken, head.noun), _ACTS[head.noun], Gap(head))
        else:
            clause = self._without((taken, head.noun), _SUFFERS[head.noun], None)
            clause = replace(clause, object=Gap(head))
        return replace(head, relative=clause)

    def _without(
        self, taken: Sequence[str | None], verbs: Sequence[Verb], subject: Phrase | None
    ) -> Clause:
        """An action without the nouns that are ``taken``, unless its object will be the gap."""
        while True:
            clause = self.clauses.action(
                verbs, subject=subject, tenses=("present", "past", "perfect"), definite=True
            )
            phrases = [clause.subject, clause.recipient]
            if subject is not None:
                phrases.append(clause.object)
            if not any(isinstance(one, Thing) and one.noun in taken for one in phrases):
                return clause

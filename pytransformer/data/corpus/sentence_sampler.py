"""Draws whole sentences of every type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytransformer.data.corpus.clause_sampler import ClauseSampler
from pytransformer.data.corpus.dice import Dice
from pytransformer.data.corpus.lexicon import VERBS, members
from pytransformer.data.corpus.meaning import (
    Clause,
    Link,
    Linked,
    Presence,
    Pronoun,
    Question,
    Report,
    Reported,
    Sentence,
    Statement,
    Tense,
    Thing,
)
from pytransformer.data.corpus.question_sampler import QuestionSampler
from pytransformer.data.corpus.relative_sampler import RelativeSampler

_REPORTS: tuple[Report, ...] = ("know", "think", "say", "hope", "not know", "ask")


class SentenceSampler:
    """Sentences of a textbook, drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self.dice = Dice(seed)
        self.clauses = ClauseSampler(self.dice)
        relatives = RelativeSampler(self.clauses)
        questions = QuestionSampler(self.clauses)
        self._types: tuple[tuple[Callable[[], Sentence], float], ...] = (
            (self._plain, 32),
            (self._denied, 9),
            (self._modal, 10),
            (self._infinitive, 4),
            (self._liking, 3),
            (self._quality, 6),
            (self._presence, 3),
            (self._weather, 0.3),
            (relatives.of_subject, 3),
            (relatives.of_object, 3),
            (questions.yes_or_no, 6),
            (questions.asked, 7),
            (questions.request, 3),
            (self._subordinate, 7),
            (self._coordinate, 5),
            (self._reported, 5),
        )

    def sentence(self) -> Sentence:
        """The next sentence."""
        return self.dice.weighted(self._types)()

    def _plain(self) -> Sentence:
        return Statement(self.clauses.dressed(self.clauses.action()))

    def _denied(self) -> Sentence:
        return Statement(self.clauses.denied())

    def _modal(self) -> Sentence:
        return Statement(self.clauses.modal())

    def _infinitive(self) -> Sentence:
        return Statement(self.clauses.infinitive())

    def _liking(self) -> Sentence:
        """The children like the song: in German, the song pleases them."""
        clause = self.clauses.action([VERBS["like"]], definite=True)
        if self.dice.chance(0.3):
            return Question(clause)
        return Statement(replace(clause, negated=self.dice.chance(0.2)))

    def _quality(self) -> Sentence:
        return Statement(self.clauses.quality())

    def _weather(self) -> Sentence:
        return Statement(self.clauses.timed(self.clauses.weather()))

    def _presence(self) -> Sentence:
        """There are three cups on the table; there is a bird in the garden."""
        dice, phrases = self.dice, self.clauses.phrases
        settings = (("flat", "surface"), ("upright", "surface"), ("animal", "outside"))
        kind, where = dice.one(settings)
        thing = phrases.thing(members((kind,)), new=True)
        location = phrases.location(members((where,)))
        return Presence(thing, location, dice.one(("present", "past")))

    def _subordinate(self) -> Sentence:
        """Because it is raining, the children play in the house."""
        dice, clauses = self.dice, self.clauses
        link: Link = dice.one(("because", "if", "when"))
        past = link != "if" and dice.chance(0.4)
        tenses: tuple[Tense, ...] = ("past",) if past else ("present",)
        other = self._circumstance(link, tenses)
        if not past and dice.chance(0.3):
            main = clauses.modal()
            while main.negated or main.tense == "past":
                main = clauses.modal()
        else:
            future: tuple[Tense, ...] = ("present", "future") if link == "if" else ("present",)
            main = clauses.simple(tenses if past else future)
        while isinstance(main.subject, Thing) and main.subject == other.subject:
            other = self._circumstance(link, tenses)
        if isinstance(main.subject, Pronoun) and dice.chance(0.4):
            other = clauses.feeling(main.subject, tenses[0])
        return Linked(main, link, other, dice.chance(0.5))

    def _circumstance(self, link: Link, tenses: tuple[Tense, ...]) -> Clause:
        """What a main clause depends on: the weather, a state, or an action."""
        kind = self.dice.weighted((("weather", 25), ("feeling", 30), ("action", 45)))
        if kind == "weather":
            raining = tenses == ("present",) and link != "if"
            return self.clauses.weather(("progressive",) if raining else tenses)
        if kind == "feeling" and link != "when":
            subject = self.clauses.phrases.subject(("person",), definite=True)
            return self.clauses.feeling(subject, tenses[0])
        return self.clauses.simple(tenses)

    def _coordinate(self) -> Sentence:
        """The man cooks and the woman reads; it is snowing, so they sleep."""
        dice, clauses = self.dice, self.clauses
        link: Link = dice.one(("and", "but", "so"))
        tense: Tense = dice.one(("present", "past"))
        if link == "so":
            return Linked(self._circumstance("so", (tense,)), link, clauses.simple((tense,)))
        main = clauses.simple((tense,))
        other = self._after(main, clauses.simple((tense,)))
        if link == "but" and dice.chance(0.5):
            other = self._after(main, clauses.denied((tense,)))
        return Linked(main, link, other)

    def _after(self, main: Clause, other: Clause) -> Clause:
        """``other``, unless it says what ``main`` has said: then a new one."""
        while other.subject == main.subject or other.verb == main.verb:
            other = self.clauses.simple((main.tense,))
        return other

    def _reported(self) -> Sentence:
        """She thinks that the train arrives; I do not know whether he is tired."""
        report = self.dice.one(_REPORTS)
        subject = self.clauses.phrases.subject(("person",), definite=True)
        tenses: tuple[Tense, ...] = ("present", "past", "progressive", "perfect")
        if report == "hope":
            tenses = ("present",)
        clause = self.clauses.simple(tenses)
        while clause.subject == subject:
            clause = self.clauses.simple(tenses)
        return Reported(subject, report, clause)

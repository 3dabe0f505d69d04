"""Draws questions and requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytransformer.data.corpus.clause_sampler import (
    ABLE,
    ACTIONS,
    PERSONAL,
    TENSES,
    ClauseSampler,
)
from pytransformer.data.corpus.lexicon import NOUNS, VERBS, Verb, members
from pytransformer.data.corpus.meaning import (
    Asked,
    Clause,
    Modal,
    Phrase,
    Pronoun,
    Question,
    QuestionWord,
    Request,
    Sentence,
    Tense,
)

_WORDS: tuple[QuestionWord, ...] = ("who", "whom", "what", "where", "when", "why")


def _objects_are(verb: Verb, kinds: set[str], *, wanted: bool) -> bool:
    """Whether every object of the verb is, or with ``wanted`` false none is, of the kinds."""
    found = [bool(kinds & set(NOUNS[name].kinds)) for name in members(verb.objects)]
    return bool(found) and all(each is wanted for each in found)


# Whoever has something or likes something is no plain subject in Korean or in German.
_WHO = tuple(verb for verb in PERSONAL if verb.concept not in ("have", "like"))
_BARE = tuple(verb for verb in _WHO if not verb.german.preposition)
_WHOM = tuple(verb for verb in _BARE if _objects_are(verb, {"person"}, wanted=True))
_WHAT = tuple(
    verb
    for verb in _BARE
    if _objects_are(verb, {"person", "animal"}, wanted=False) and "goal" not in verb.flags
)
_WHERE = tuple(verb for verb in ACTIONS if verb.places and verb.concept not in ("put", "place"))
_EVENTS = tuple(verb for verb in ACTIONS if "state" not in verb.flags)
_REQUESTED = tuple(verb for verb in ACTIONS if "ask" in verb.flags)


class QuestionSampler:
    """Questions about clauses, and requests to do something."""

    def __init__(self, clauses: ClauseSampler) -> None:
        self.clauses = clauses
        self.dice = clauses.dice

    def yes_or_no(self) -> Sentence:
        """Does the woman read the book? Can you help me?"""
        dice = self.dice
        if dice.chance(0.2):
            return Question(self.clauses.quality())
        clause = self._clause(ACTIONS)
        modal: Modal = dice.one(("can", "want"))
        able = clause.tense == "present" and VERBS[clause.verb] in ABLE[modal]
        return Question(replace(clause, modal=modal) if able and dice.chance(0.25) else clause)

    def asked(self) -> Sentence:
        """Who reads the book? What does she read, where, when, and why?"""
        word = self.dice.one(_WORDS)
        match word:
            case "who":
                return Question(self.clauses.action(_WHO, subject=Asked(), definite=True), word)
            case "whom":
                return Question(replace(self._clause(_WHOM), object=Asked()), word)
            case "what":
                return Question(replace(self._clause(_WHAT), object=Asked()), word)
            case "where":
                return Question(replace(self._clause(_WHERE), location=None), word)
            case "when":
                # What is happening or has happened needs no date.
                return Question(self._clause(_EVENTS, ("present", "past", "future")), word)
            case _:
                return Question(self._clause(_EVENTS), word)

    def request(self) -> Sentence:
        """Please open the window."""
        clause = self.clauses.action(
            _REQUESTED, subject=Pronoun("you"), tenses=("present",), definite=True
        )
        return Request(replace(clause, negated=self.dice.chance(0.2)))

    def _clause(self, verbs: Sequence[Verb], tenses: Sequence[Tense] = TENSES) -> Clause:
        """A clause to ask about; "you" is not asked about the past, which German says otherwise."""
        subject: Phrase | None = None
        if self.dice.chance(0.35):
            verbs = [verb for verb in verbs if set(verb.subjects) & {"person", "adult"}]
            subject = Pronoun("you")
            tenses = [tense for tense in tenses if tense != "past"]
        return self.clauses.action(verbs, subject=subject, tenses=tenses, definite=True)

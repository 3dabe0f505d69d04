"""Draws clauses: a verb with its phrases, its tense and its adverbials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from pytransformer.data.corpus.dice import Dice
from pytransformer.data.corpus.lexicon import (
    ADJECTIVES,
    FREQUENCIES,
    MANNERS,
    NOUNS,
    TIMES,
    VERBS,
    Verb,
    members,
)
from pytransformer.data.corpus.meaning import (
    Clause,
    Gap,
    Modal,
    Name,
    Phrase,
    Pronoun,
    Tense,
    Thing,
)
from pytransformer.data.corpus.phrase_sampler import PhraseSampler

_WEATHER = ("rain", "snow")
ACTIONS = tuple(verb for verb in VERBS.values() if verb.concept not in _WEATHER)
PERSONAL = tuple(verb for verb in ACTIONS if "person" in verb.subjects)
MODALS: tuple[Modal, ...] = ("can", "must", "may", "want")
INFINITIVES: tuple[Modal, ...] = get_args(Modal)[len(MODALS) :]
TENSES: tuple[Tense, ...] = get_args(Tense)
_WEIGHTS: tuple[tuple[Tense, float], ...] = (
    ("present", 40),
    ("past", 22),
    ("progressive", 12),
    ("perfect", 14),
    ("future", 12),
)
_QUALITIES = tuple(name for name, entry in ADJECTIVES.items() if "attr" not in entry.kinds)
_FEELINGS = tuple(name for name, entry in ADJECTIVES.items() if "feeling" in entry.kinds)
_LIVELY = tuple(verb for verb in ACTIONS if verb.concept not in ("lie", "stand"))


def singular(subject: Phrase) -> bool:
    """Whether the English verb takes its -s."""
    if isinstance(subject, Pronoun):
        return subject.person in ("he", "she", "it")
    if isinstance(subject, Gap):
        return singular(subject.head)
    return isinstance(subject, Name) or (isinstance(subject, Thing) and not subject.plural)


def tense_is_heard(clause: Clause) -> bool:
    """Whether English tells the clause's past from its present; "they read" does not."""
    if clause.tense != "past" or clause.verb == "be" or clause.negated or clause.modal:
        return True
    verb = VERBS[clause.verb].english
    return verb.past != verb.base or singular(clause.subject)


def _takes_modal(verb: Verb, modal: Modal) -> bool:
    """Whether the two make sense together; what just happens to one cannot be promised or begun."""
    if "state" in verb.flags or "mishap" in verb.flags:
        return False
    if modal == "can":
        return True
    if not all("person" in NOUNS[concept].kinds for concept in members(verb.subjects)):
        return False
    if modal == "begin" and "goal" in verb.flags:
        return False
    return "point" not in verb.flags or modal in ("want", "try", "hope")


ABLE = {
    modal: tuple(verb for verb in ACTIONS if _takes_modal(verb, modal)) for modal in get_args(Modal)
}


class ClauseSampler:
    """Clauses that make sense: each verb meets only what the lexicon lets it meet."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.phrases = PhraseSampler(dice)

    def action(
        self,
        verbs: Sequence[Verb] = ACTIONS,
        *,
        subject: Phrase | None = None,
        tenses: Sequence[Tense] = TENSES,
        definite: bool = False,
    ) -> Clause:
        """A verb with its subject, its objects and the location it cannot do without.

        ``definite`` keeps out whatever cannot be negated or stand before the verb in German.
        """
        dice, phrases = self.dice, self.phrases
        verb = dice.one(verbs)
        if subject is None:
            subject = phrases.subject(verb.subjects, definite=definite)
        # One likes what one knows.
        known = definite or verb.concept == "like"
        theme = phrases.patient(verb.objects, subject, definite=known) if verb.objects else None
        if verb.concept == "have":
            theme = self._possession(verb, subject)
        recipient = None
        if "give" in verb.flags:
            recipient = phrases.patient(("person",), subject, definite=True)
        location = None
        if "goal" in verb.flags or "stay" in verb.flags:
            location = phrases.location(members(verb.places))
        tense = self.tense(verb, tenses)
        clause = Clause(subject, verb.concept, theme, recipient, location, tense=tense)
        return clause if tense_is_heard(clause) else replace(clause, tense="present")

    def tense(self, verb: Verb, allowed: Sequence[Tense]) -> Tense:
        """One of the allowed tenses that the verb has; the present if it has none of them."""
        barred: set[Tense] = set()
        if "point" in verb.flags:
            barred = {"progressive"}
        if "state" in verb.flags:
            barred = {"progressive", "perfect", "future"}
        choices = [pair for pair in _WEIGHTS if pair[0] in allowed and pair[0] not in barred]
        return self.dice.weighted(choices) if choices else "present"

    def dressed(self, clause: Clause) -> Clause:
        """The clause with adverbials: a place or a manner, and a time or a frequency."""
        dice, verb = self.dice, VERBS[clause.verb]
        manners = [name for name, entry in MANNERS.items() if entry.suits[0] in verb.flags]
        if manners and dice.chance(0.3):
            clause = replace(clause, manner=dice.one(manners))
        elif verb.places and clause.location is None and dice.chance(0.4):
            clause = replace(clause, location=self.phrases.location(members(verb.places)))
        return self.timed(clause)

    def timed(self, clause: Clause) -> Clause:
        """The clause with a time that suits its tense, or with a frequency."""
        dice = self.dice
        state = clause.verb == "be" or "state" in VERBS[clause.verb].flags
        if clause.tense in ("present", "past") and dice.chance(0.12) and not state:
            return replace(clause, frequency=dice.one(tuple(FREQUENCIES)))
        times = [name for name, entry in TIMES.items() if clause.tense in entry.suits]
        if state or not times or not dice.chance(0.15 if clause.tense == "perfect" else 0.4):
            return clause
        return replace(clause, time=dice.one(times), time_first=dice.chance(0.5))

    def denied(self, tenses: Sequence[Tense] = TENSES) -> Clause:
        """A clause with "not"."""
        clause = self.action(tenses=tenses, definite=True)
        if isinstance(clause.object, Thing) and (clause.verb == "have" or self.dice.chance(0.4)):
            clause = replace(clause, object=self._deniable(clause))
        clause = replace(clause, negated=True)
        verb = VERBS[clause.verb]
        if verb.places and clause.location is None and self.dice.chance(0.2):
            clause = replace(clause, location=self.phrases.location(members(verb.places)))
        return clause

    def modal(self) -> Clause:
        """A clause with a modal verb."""
        dice = self.dice
        modal = dice.one(MODALS)
        negated = modal != "may" and dice.chance(0.25)
        clause = self.action(ABLE[modal], tenses=("present",), definite=negated)
        past = modal != "may" and not (modal == "must" and negated) and dice.chance(0.25)
        clause = replace(clause, modal=modal, negated=negated, tense="past" if past else "present")
        return clause if negated else self._with_place(clause)

    def infinitive(self) -> Clause:
        """A clause whose verb is the infinitive of another one: "tries to open"."""
        dice = self.dice
        modal = dice.one(INFINITIVES)
        tenses: tuple[Tense, ...] = ("present", "past", "perfect")
        clause = self.action(ABLE[modal], tenses=("present",))
        return replace(clause, modal=modal, tense=dice.one(tenses))

    def quality(self, *, tenses: Sequence[Tense] = ("present", "past")) -> Clause:
        """A subject that is somehow, or is more so than another one."""
        dice, phrases = self.dice, self.phrases
        name = dice.one(_QUALITIES)
        entry = ADJECTIVES[name]
        concepts = members(entry.kinds)
        subject: Phrase = phrases.thing(concepts, definite=True)
        if "person" in entry.kinds and dice.chance(0.4):
            subject = phrases.subject(("person",), definite=True)
        if isinstance(subject, Thing):
            subject = replace(subject, adjective=None)
        clause = Clause(subject, "be", quality=name, tense=dice.one(tenses))
        if isinstance(subject, Thing) and entry.comparative and dice.chance(0.4):
            kind = NOUNS[subject.noun].kinds[0]
            rivals = [other for other in concepts if kind in NOUNS[other].kinds]
            rivals = [other for other in rivals if other != subject.noun]
            if rivals:
                than = replace(phrases.thing(rivals, definite=True), adjective=None)
                return replace(clause, than=than)
        return replace(clause, negated=dice.chance(0.2))

    def feeling(self, subject: Phrase, tense: Tense) -> Clause:
        """How somebody is."""
        return Clause(subject, "be", quality=self.dice.one(_FEELINGS), tense=tense)

    def weather(self, tenses: Sequence[Tense] = ("present", "past", "progressive")) -> Clause:
        """It rains or snows."""
        return Clause(Pronoun("it"), self.dice.one(_WEATHER), tense=self.dice.one(tenses))

    def simple(self, tenses: Sequence[Tense]) -> Clause:
        """A short clause, fit to be one of two in a sentence."""
        clause = self.action(_LIVELY, tenses=tenses, definite=self.dice.chance(0.5))
        return self._with_place(clause) if self.dice.chance(0.3) else clause

    def _with_place(self, clause: Clause) -> Clause:
        verb = VERBS[clause.verb]
        if not verb.places or clause.location or not self.dice.chance(0.35):
            return clause
        return replace(clause, location=self.phrases.location(members(verb.places)))

    def _possession(self, verb: Verb, subject: Phrase) -> Thing:
        """What one has is new to the listener: a dog, two dogs, many dogs."""
        taken = subject.noun if isinstance(subject, Thing) else None
        nouns = [concept for concept in members(verb.objects) if concept != taken]
        return self.phrases.thing(nouns, new=True)

    def _deniable(self, clause: Clause) -> Thing:
        """The object as something of which there is none; only the accusative has "kein"."""
        thing = clause.object
        assert isinstance(thing, Thing)
        german = VERBS[clause.verb].german
        if german.case != "acc" or german.preposition or thing.owner:
            return thing
        bare = thing.plural or NOUNS[thing.noun].substance
        return replace(thing, determiner="bare" if bare else "a", count=0)

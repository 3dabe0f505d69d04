"""German noun phrases and prepositional phrases, without their relative clauses."""

from __future__ import annotations

from pytransformer.data.corpus.german_forms import (
    ASKED,
    PRONOUNS,
    adjective_ending,
    contract,
    determiner,
    noun_form,
    relative_pronoun,
)
from pytransformer.data.corpus.lexicon import ADJECTIVES, NOUNS, NUMBERS, RELATIONS
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


def in_case(phrase: Phrase, case: str) -> str:
    """The phrase in its case: "nom", "acc", "dat", or "gen" for an owner."""
    match phrase:
        case Pronoun(person):
            return PRONOUNS[person][case]
        case Name(name):
            return name
        case Both(first, second):
            return f"{in_case(first, case)} und {in_case(second, case)}"
        case Gap(head):
            return relative_pronoun(case, gender(head))
        case Asked():
            return ASKED[case]
        case Thing():
            return with_determiner(phrase, phrase.determiner, case)


def with_determiner(thing: Thing, word: str, case: str) -> str:
    """A thing with ``word`` as its determiner, which may be "no" in place of its own."""
    noun = NOUNS[thing.noun]
    if isinstance(thing.owner, Name):
        first, word = thing.owner.name + "s", "bare"
    elif thing.count:
        first = NUMBERS[thing.count].german
    else:
        first = determiner(word, case, gender(thing))
    words = [first]
    if thing.adjective:
        stem = ADJECTIVES[thing.adjective].german_stem
        words.append(stem + adjective_ending(word, case, gender(thing)))
    words.append(noun_form(noun, case, plural=thing.plural))
    if isinstance(thing.owner, Thing):
        words.append(in_case(thing.owner, "gen"))
    return " ".join(word for word in words if word)


def in_place(location: Location, *, goal: bool) -> str:
    """Where (dative) or where to (accusative, but dative after "zu")."""
    noun = NOUNS[location.thing.noun]
    if location.relation == "at":
        preposition = noun.german_to if goal else noun.german_at
    else:
        preposition = RELATIONS[location.relation][0]
    case = "acc" if goal and preposition != "zu" else "dat"
    return contract(preposition, in_case(location.thing, case))


def gender(thing: Thing) -> str:
    """ "m", "f", "n", or "p" for a plural."""
    return "p" if thing.plural else NOUNS[thing.noun].gender


def agreement(phrase: Phrase) -> str:
    """The person a verb agrees with, as ``german_forms.finite`` wants it."""
    match phrase:
        case Pronoun(person):
            return person
        case Gap(head):
            return agreement(head)
        case Thing():
            return "they" if phrase.plural else "he"
        case Both():
            return "they"
        case Name() | Asked():
            return "he"

import pytest

from pytransformer.data.corpus.english_forms import gerund, third_person
from pytransformer.data.corpus.lexicon import ADJECTIVES, MANNERS, NOUNS, VERBS, Verb, members

KINDS = {kind for noun in NOUNS.values() for kind in noun.kinds}
FLAGS = {"state", "point", "mishap", "goal", "stay", "give", "ask"}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_names_only_what_the_lexicon_has(verb: Verb) -> None:
    for word in (*verb.subjects, *verb.objects, *verb.places):
        assert word in KINDS or word in NOUNS
    groups = {entry.suits[0] for entry in MANNERS.values()}
    assert set(verb.flags) <= FLAGS | groups
    assert bool(verb.objects) == bool(verb.german.case)
    assert bool(verb.objects) == bool(verb.korean_object)


def test_an_adjective_fits_something() -> None:
    for entry in ADJECTIVES.values():
        for kind in entry.kinds:
            assert kind in KINDS or kind in NOUNS or kind in ("attr", "feeling")
        assert members(entry.kinds)


def test_a_place_has_its_prepositions() -> None:
    for noun in NOUNS.values():
        assert bool(noun.german_to) == ("place" in noun.kinds)


def test_no_noun_has_one_english_form_for_one_and_many() -> None:
    assert all(noun.concept != noun.plural for noun in NOUNS.values())


@pytest.mark.parametrize(
    ("base", "third", "ing"),
    [
        ("read", "reads", "reading"),
        ("wash", "washes", "washing"),
        ("carry", "carries", "carrying"),
        ("play", "plays", "playing"),
        ("go", "goes", "going"),
        ("have", "has", "having"),
        ("write", "writes", "writing"),
        ("see", "sees", "seeing"),
        ("swim", "swims", "swimming"),
        ("lie", "lies", "lying"),
    ],
)
def test_english_verbs(base: str, third: str, ing: str) -> None:
    assert third_person(base) == third
    assert gerund(base) == ing


def test_english_pasts() -> None:
    expected = {"carry": "carried", "dance": "danced", "play": "played", "put on": "put"}
    assert {concept: VERBS[concept].english.past for concept in expected} == expected

import pytest

from pytransformer.data.corpus.german_forms import (
    adjective_ending,
    contract,
    determiner,
    finite,
    finite_verb,
    imperative,
    noun_form,
    relative_pronoun,
    zu_infinitive,
)
from pytransformer.data.corpus.lexicon import NOUNS, VERBS

CASES = ("nom", "acc", "dat")


def phrases(word: str, gender: str) -> list[str]:
    """Determiner, "klein" and a noun that never changes, in the three cases."""
    words = [
        (determiner(word, case, gender), "klein" + adjective_ending(word, case, gender), "X")
        for case in CASES
    ]
    return [" ".join(filter(None, each)) for each in words]


@pytest.mark.parametrize(
    ("word", "gender", "expected"),
    [
        ("the", "m", "der kleine X|den kleinen X|dem kleinen X"),
        ("the", "f", "die kleine X|die kleine X|der kleinen X"),
        ("the", "n", "das kleine X|das kleine X|dem kleinen X"),
        ("the", "p", "die kleinen X|die kleinen X|den kleinen X"),
        ("this", "m", "dieser kleine X|diesen kleinen X|diesem kleinen X"),
        ("this", "f", "diese kleine X|diese kleine X|dieser kleinen X"),
        ("every", "n", "jedes kleine X|jedes kleine X|jedem kleinen X"),
        ("a", "m", "ein kleiner X|einen kleinen X|einem kleinen X"),
        ("a", "f", "eine kleine X|eine kleine X|einer kleinen X"),
        ("a", "n", "ein kleines X|ein kleines X|einem kleinen X"),
        ("my", "p", "meine kleinen X|meine kleinen X|meinen kleinen X"),
        ("our", "f", "unsere kleine X|unsere kleine X|unserer kleinen X"),
        ("no", "p", "keine kleinen X|keine kleinen X|keinen kleinen X"),
        ("bare", "m", "kleiner X|kleinen X|kleinem X"),
        ("bare", "f", "kleine X|kleine X|kleiner X"),
        ("bare", "n", "kleines X|kleines X|kleinem X"),
        ("bare", "p", "kleine X|kleine X|kleinen X"),
        ("many", "p", "viele kleine X|viele kleine X|vielen kleinen X"),
    ],
)
def test_determiners_and_adjective_endings(word: str, gender: str, expected: str) -> None:
    assert phrases(word, gender) == expected.split("|")


@pytest.mark.parametrize(
    ("concept", "expected"),
    [
        ("man", "Mann Mann Mann Mannes Männern"),
        ("student", "Student Studenten Studenten Studenten Studenten"),
        ("boy", "Junge Jungen Jungen Jungen Jungen"),
        ("neighbor", "Nachbar Nachbarn Nachbarn Nachbarn Nachbarn"),
        ("child", "Kind Kind Kind Kindes Kindern"),
        ("teacher", "Lehrer Lehrer Lehrer Lehrers Lehrern"),
        ("singer", "Sängerin Sängerin Sängerin Sängerin Sängerinnen"),
        ("car", "Auto Auto Auto Autos Autos"),
    ],
)
def test_nouns_decline(concept: str, expected: str) -> None:
    noun = NOUNS[concept]
    forms = [noun_form(noun, case, plural=False) for case in (*CASES, "gen")]
    assert [*forms, noun_form(noun, "dat", plural=True)] == expected.split()


@pytest.mark.parametrize(
    ("concept", "expected"),
    [
        ("read", "lese liest liest lesen las lasen lies"),
        ("work", "arbeite arbeitest arbeitet arbeiten arbeitete arbeiteten arbeite"),
        ("give", "gebe gibst gibt geben gab gaben gib"),
        ("eat", "esse isst isst essen aß aßen iss"),
        ("carry", "trage trägst trägt tragen trug trugen trag"),
        ("invite", "lade lädst lädt laden lud luden lade"),
        ("feed", "füttere fütterst füttert füttern fütterte fütterten füttere"),
        ("have", "habe hast hat haben hatte hatten hab"),
        ("sit", "sitze sitzt sitzt sitzen saß saßen sitz"),
    ],
)
def test_verbs_conjugate(concept: str, expected: str) -> None:
    verb = VERBS[concept].german
    present = [finite_verb(verb, person) for person in ("I", "you", "she", "we")]
    preterite = [finite_verb(verb, person, past=True) for person in ("he", "they")]
    assert [*present, *preterite, imperative(verb)] == expected.split()


def test_modal_verbs_have_no_ending_in_the_singular() -> None:
    assert [finite("müssen", who) for who in ("I", "you", "he", "they")] == [
        "muss",
        "musst",
        "muss",
        "müssen",
    ]
    assert finite("können", "we", past=True) == "konnten"
    assert finite("wissen", "you") == "weißt"


def test_the_infinitive_takes_zu_inside() -> None:
    assert zu_infinitive(VERBS["open"].german) == "aufzumachen"
    assert zu_infinitive(VERBS["read"].german) == "zu lesen"


def test_prepositions_melt_with_the_article_alone() -> None:
    assert contract("in", "dem Garten") == "im Garten"
    assert contract("an", "das Meer") == "ans Meer"
    assert contract("zu", "der Schule") == "zur Schule"
    assert contract("auf", "den Tisch") == "auf den Tisch"
    assert contract("in", "seinem Haus") == "in seinem Haus"


def test_the_relative_pronoun_differs_in_the_dative_plural() -> None:
    assert relative_pronoun("dat", "p") == "denen"
    assert relative_pronoun("dat", "f") == "der"
    assert relative_pronoun("acc", "m") == "den"

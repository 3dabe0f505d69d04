import pytest

from pytransformer.data.corpus.hangul import Syllable, particle, split, with_tail


@pytest.mark.parametrize(
    ("character", "letters"),
    [
        ("가", ("ㄱ", "ㅏ", "")),
        ("힣", ("ㅎ", "ㅣ", "ㅎ")),
        ("읽", ("ㅇ", "ㅣ", "ㄺ")),
        ("쟁", ("ㅈ", "ㅐ", "ㅇ")),
        ("의", ("ㅇ", "ㅢ", "")),
    ],
)
def test_a_syllable_splits_into_its_letters(character: str, letters: tuple[str, ...]) -> None:
    assert split(character) == letters
    assert Syllable(*letters).text() == character


def test_every_syllable_survives_the_round_trip() -> None:
    assert all(split(chr(code)).text() == chr(code) for code in range(0xAC00, 0xD7A4))


@pytest.mark.parametrize("character", ["a", "ㄱ", "", "가나", "\uabff", "\ud7a4"])
def test_what_is_no_syllable_is_refused(character: str) -> None:
    with pytest.raises(ValueError, match="must be one Hangul syllable"):
        split(character)


def test_the_tail_is_replaced_on_the_last_syllable_alone() -> None:
    assert with_tail("만들", "") == "만드"
    assert with_tail("하", "ㄴ") == "한"


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("책", "책은 책이 책을 책과 책으로"),
        ("여자", "여자는 여자가 여자를 여자와 여자로"),
        ("딸", "딸은 딸이 딸을 딸과 딸로"),
        ("선생님", "선생님은 선생님이 선생님을 선생님과 선생님으로"),
        ("학교", "학교는 학교가 학교를 학교와 학교로"),
        ("부엌", "부엌은 부엌이 부엌을 부엌과 부엌으로"),
    ],
)
def test_the_final_consonant_chooses_the_particle(word: str, forms: str) -> None:
    roles = ("topic", "subject", "object", "with", "towards")
    assert " ".join(particle(word, role) for role in roles) == forms

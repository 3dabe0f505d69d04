import pytest

from pytransformer.data.corpus.korean_forms import (
    Stem,
    append,
    append_eu,
    attributive,
    attributive_past,
    infinitive,
    past,
    plain,
    whether,
)

# Stem, then 아/어, past, -(으)면, before a noun, before a noun when over, plain statement.
VERBS = [
    ("읽", "읽어 읽었 읽으면 읽는 읽은 읽는다"),
    ("찾", "찾아 찾았 찾으면 찾는 찾은 찾는다"),
    ("놓", "놓아 놓았 놓으면 놓는 놓은 놓는다"),
    ("가", "가 갔 가면 가는 간 간다"),
    ("보", "봐 봤 보면 보는 본 본다"),
    ("주", "줘 줬 주면 주는 준 준다"),
    ("마시", "마셔 마셨 마시면 마시는 마신 마신다"),
    ("켜", "켜 켰 켜면 켜는 켠 켠다"),
    ("보내", "보내 보냈 보내면 보내는 보낸 보낸다"),
    ("쉬", "쉬어 쉬었 쉬면 쉬는 쉰 쉰다"),
    ("되", "돼 됐 되면 되는 된 된다"),
    ("일하", "일해 일했 일하면 일하는 일한 일한다"),
    ("쓰", "써 썼 쓰면 쓰는 쓴 쓴다"),
    ("끄", "꺼 껐 끄면 끄는 끈 끈다"),
    ("열", "열어 열었 열면 여는 연 연다"),
    ("팔", "팔아 팔았 팔면 파는 판 판다"),
    ("듣/ㄷ", "들어 들었 들으면 듣는 들은 듣는다"),
    ("닫", "닫아 닫았 닫으면 닫는 닫은 닫는다"),
    ("돕/ㅂ", "도와 도왔 도우면 돕는 도운 돕는다"),
    ("입", "입어 입었 입으면 입는 입은 입는다"),
    ("나르/르", "날라 날랐 나르면 나르는 나른 나른다"),
    ("모르/르", "몰라 몰랐 모르면 모르는 모른 모른다"),
]
# Stem, then 아/어, past, -(으)면, before a noun, before a noun when over, plain statement.
ADJECTIVES = [
    ("작", "작아 작았 작으면 작은 작았던 작다"),
    ("크", "커 컸 크면 큰 컸던 크다"),
    ("바쁘", "바빠 바빴 바쁘면 바쁜 바빴던 바쁘다"),
    ("슬프", "슬퍼 슬펐 슬프면 슬픈 슬펐던 슬프다"),
    ("무겁/ㅂ", "무거워 무거웠 무거우면 무거운 무거웠던 무겁다"),
    ("아름답/ㅂ", "아름다워 아름다웠 아름다우면 아름다운 아름다웠던 아름답다"),
    ("달", "달아 달았 달면 단 달았던 달다"),
    ("게으르/르", "게을러 게을렀 게으르면 게으른 게을렀던 게으르다"),
    ("빨갛/ㅎ", "빨개 빨갰 빨가면 빨간 빨갰던 빨갛다"),
    ("하얗/ㅎ", "하얘 하얬 하야면 하얀 하얬던 하얗다"),
    ("맛있", "맛있어 맛있었 맛있으면 맛있는 맛있었던 맛있다"),
    ("친절하", "친절해 친절했 친절하면 친절한 친절했던 친절하다"),
]


@pytest.mark.parametrize(
    ("entry", "forms", "adjective"),
    [(*row, False) for row in VERBS] + [(*row, True) for row in ADJECTIVES],
)
def test_a_stem_takes_its_endings(entry: str, forms: str, adjective: bool) -> None:
    stem = Stem.parse(entry, adjective=adjective)
    assert forms.split() == [
        infinitive(stem),
        past(stem).text,
        append_eu(stem, "면"),
        attributive(stem),
        attributive_past(stem, lasting=False),
        plain(stem),
    ]


def test_a_past_stem_takes_endings_in_its_turn() -> None:
    went, was_small = past(Stem("가")), past(Stem("작", adjective=True))
    assert infinitive(went) == "갔어"
    assert append_eu(went, "ㄹ 때") == "갔을 때"
    assert plain(went) == "갔다"
    assert whether(went) == "갔는지"
    assert whether(was_small) == "작았는지"


def test_indirect_questions() -> None:
    assert whether(Stem("열")) == "여는지"
    assert whether(Stem("작", adjective=True)) == "작은지"
    assert whether(Stem("맛있", adjective=True)) == "맛있는지"


def test_a_final_rieul_falls_before_nieun_alone() -> None:
    assert append(Stem("열"), "고") == "열고"
    assert append(Stem("열"), "지 마세요") == "열지 마세요"
    assert append(Stem("열"), "는") == "여는"
    assert append_eu(Stem("열"), "려고") == "열려고"
    assert append_eu(Stem("열"), "ㄹ") == "열"


def test_a_lasting_state_is_remembered_and_not_finished() -> None:
    assert attributive_past(Stem("사랑하"), lasting=True) == "사랑했던"

"""Sentences that were written by hand in all three languages."""

import pytest

from pytransformer.data.corpus.english import english
from pytransformer.data.corpus.german import german
from pytransformer.data.corpus.korean import korean
from pytransformer.data.corpus.meaning import (
    Asked,
    Both,
    Clause,
    Gap,
    Linked,
    Location,
    Name,
    Presence,
    Pronoun,
    Question,
    Reported,
    Request,
    Sentence,
    Statement,
    Thing,
)

ME, YOU, HE, SHE, IT, WE, THEY = map(Pronoun, ("I", "you", "he", "she", "it", "we", "they"))
MAN, WOMAN, CHILD, TEACHER = Thing("man"), Thing("woman"), Thing("child"), Thing("teacher")
BOOK, WINDOW, LAMP, STUDENT = Thing("book"), Thing("window"), Thing("lamp"), Thing("student")
DOG, CAT, SISTER = Thing("dog"), Thing("cat"), Thing("sister", "my")
TABLE, KITCHEN = Location(Thing("table"), "on"), Location(Thing("kitchen"))
CHILDREN = Thing("child", plural=True)


def they_read_what(person: Thing) -> Thing:
    return Thing("book", relative=Clause(person, "read", Gap(BOOK)))


GOLDENS: list[tuple[Sentence, str, str, str]] = [
    # Articles, gender and case; adjective endings; particles after a vowel and after a consonant.
    (
        Statement(Clause(WOMAN, "read", Thing("book", "a", adjective="new"))),
        "The woman reads a new book.",
        "Die Frau liest ein neues Buch.",
        "여자는 새 책을 읽어요.",
    ),
    (
        Statement(Clause(Thing("boy", "a"), "see", Thing("dog", adjective="black"))),
        "A boy sees the black dog.",
        "Ein Junge sieht den schwarzen Hund.",
        "소년이 까만 개를 봐요.",
    ),
    (
        Statement(Clause(SISTER, "drink", Thing("water", "bare", adjective="cold"))),
        "My sister drinks cold water.",
        "Meine Schwester trinkt kaltes Wasser.",
        "제 여동생은 차가운 물을 마셔요.",
    ),
    (
        Statement(Clause(Thing("teacher", "our"), "wash", Thing("apple", "a", adjective="fresh"))),
        "Our teacher washes a fresh apple.",
        "Unser Lehrer wäscht einen frischen Apfel.",
        "우리 선생님은 신선한 사과를 씻어요.",
    ),
    (
        Statement(Clause(THEY, "buy", Thing("car", "this", adjective="expensive"))),
        "They buy this expensive car.",
        "Sie kaufen dieses teure Auto.",
        "그들은 이 비싼 자동차를 사요.",
    ),
    (
        Statement(Clause(Thing("student", "every"), "know", TEACHER)),
        "Every student knows the teacher.",
        "Jeder Student kennt den Lehrer.",
        "모든 학생이 선생님을 알아요.",
    ),
    (
        Statement(Clause(HE, "see", Thing("student"))),
        "He sees the student.",
        "Er sieht den Studenten.",
        "그는 학생을 봐요.",
    ),
    (
        Statement(Clause(Name("Paul"), "have", Thing("cat", "bare", True, "small", 3))),
        "Paul has three small cats.",
        "Paul hat drei kleine Katzen.",
        "폴은 작은 고양이 세 마리가 있어요.",
    ),
    (
        Statement(Clause(WE, "need", Thing("tomato", "bare", True, count=10))),
        "We need ten tomatoes.",
        "Wir brauchen zehn Tomaten.",
        "우리는 토마토 열 개가 필요해요.",
    ),
    (
        Statement(Clause(ME, "look for", Thing("key", owner=TEACHER))),
        "I look for the teacher's key.",
        "Ich suche den Schlüssel des Lehrers.",
        "저는 선생님의 열쇠를 찾아요.",
    ),
    (
        Statement(Clause(ME, "hear", Thing("song", adjective="long", owner=Name("Anna")))),
        "I hear Anna's long song.",
        "Ich höre Annas langes Lied.",
        "저는 안나의 긴 노래를 들어요.",
    ),
    (
        Statement(Clause(Both(Name("Tom"), Name("Emma")), "dance")),
        "Tom and Emma dance.",
        "Tom und Emma tanzen.",
        "톰과 에마는 춤을 춰요.",
    ),
    # Datives, dative plurals, pronouns.
    (
        Statement(Clause(MAN, "help", CHILDREN)),
        "The man helps the children.",
        "Der Mann hilft den Kindern.",
        "남자는 아이들을 도와요.",
    ),
    (
        Statement(Clause(WOMAN, "give", Thing("apple", "a"), CHILD)),
        "The woman gives an apple to the child.",
        "Die Frau gibt dem Kind einen Apfel.",
        "여자는 아이에게 사과를 줘요.",
    ),
    (
        Statement(Clause(SHE, "show", Thing("picture"), ME, tense="past")),
        "She showed me the picture.",
        "Sie zeigte mir das Bild.",
        "그녀는 저에게 그림을 보여 줬어요.",
    ),
    (
        Statement(Clause(THEY, "thank", HE, tense="perfect")),
        "They have thanked him.",
        "Sie haben ihm gedankt.",
        "그들은 그에게 감사했어요.",
    ),
    (
        Statement(Clause(STUDENT, "listen to", TEACHER)),
        "The student listens to the teacher.",
        "Der Student hört dem Lehrer zu.",
        "학생은 선생님의 말을 들어요.",
    ),
    (
        Statement(Clause(CHILDREN, "like", Thing("song"), tense="past")),
        "The children liked the song.",
        "Das Lied gefiel den Kindern.",
        "아이들은 노래를 좋아했어요.",
    ),
    # Separable verbs, verb second, frames of prepositions, reflexives.
    (
        Statement(Clause(MAN, "open", WINDOW, time="in the morning", time_first=True)),
        "In the morning the man opens the window.",
        "Am Morgen macht der Mann das Fenster auf.",
        "아침에 남자는 창문을 열어요.",
    ),
    (
        Statement(Clause(MAN, "open", WINDOW, tense="perfect", time="today")),
        "The man has opened the window today.",
        "Der Mann hat heute das Fenster aufgemacht.",
        "남자는 오늘 창문을 열었어요.",
    ),
    (
        Statement(Clause(ME, "pick up", SHE, tense="future", time="tomorrow")),
        "I will pick her up tomorrow.",
        "Ich werde sie morgen abholen.",
        "저는 내일 그녀를 데려올 거예요.",
    ),
    (
        Statement(Clause(STUDENT, "wait for", Thing("bus"), tense="progressive")),
        "The student is waiting for the bus.",
        "Der Student wartet gerade auf den Bus.",
        "학생은 버스를 기다리고 있어요.",
    ),
    (
        Statement(Clause(CHILD, "look forward to", Thing("party"))),
        "The child looks forward to the party.",
        "Das Kind freut sich auf das Fest.",
        "아이는 파티를 기대해요.",
    ),
    (
        Statement(Clause(HE, "speak with", Thing("neighbor", "his"), tense="past")),
        "He spoke with his neighbor.",
        "Er sprach mit seinem Nachbarn.",
        "그는 그의 이웃과 이야기했어요.",
    ),
    # Where and where to; the perfect with sein.
    (
        Statement(Clause(WOMAN, "cook", location=KITCHEN)),
        "The woman cooks in the kitchen.",
        "Die Frau kocht in der Küche.",
        "여자는 부엌에서 요리해요.",
    ),
    (
        Statement(Clause(WOMAN, "go", location=KITCHEN, tense="perfect")),
        "The woman has gone into the kitchen.",
        "Die Frau ist in die Küche gegangen.",
        "여자는 부엌에 갔어요.",
    ),
    (
        Statement(Clause(HE, "put", BOOK, location=TABLE, tense="past")),
        "He put the book on the table.",
        "Er legte das Buch auf den Tisch.",
        "그는 책을 탁자 위에 놓았어요.",
    ),
    (
        Statement(Clause(BOOK, "lie", location=TABLE, tense="past")),
        "The book lay on the table.",
        "Das Buch lag auf dem Tisch.",
        "책은 탁자 위에 있었어요.",
    ),
    (
        Statement(Clause(THEY, "come", location=Location(Thing("station")), tense="past")),
        "They came to the station.",
        "Sie kamen zum Bahnhof.",
        "그들은 역에 왔어요.",
    ),
    (
        Presence(Thing("cup", "bare", True, count=2), TABLE),
        "There are two cups on the table.",
        "Auf dem Tisch sind zwei Tassen.",
        "탁자 위에 컵 두 개가 있어요.",
    ),
    # Negation.
    (
        Statement(Clause(WOMAN, "read", BOOK, negated=True, time="today")),
        "The woman does not read the book today.",
        "Die Frau liest das Buch heute nicht.",
        "여자는 오늘 책을 안 읽어요.",
    ),
    (
        Statement(Clause(TEACHER, "buy", Thing("computer", "a"), negated=True, tense="past")),
        "The teacher did not buy a computer.",
        "Der Lehrer kaufte keinen Computer.",
        "선생님은 컴퓨터를 안 샀어요.",
    ),
    (
        Statement(Clause(Name("Maria"), "work", location=KITCHEN, negated=True)),
        "Maria does not work in the kitchen.",
        "Maria arbeitet nicht in der Küche.",
        "마리아는 부엌에서 일하지 않아요.",
    ),
    (
        Statement(Clause(HE, "have", Thing("brother", "a"), negated=True)),
        "He does not have a brother.",
        "Er hat keinen Bruder.",
        "그는 남동생이 없어요.",
    ),
    # Modal verbs and infinitives.
    (
        Statement(Clause(CHILD, "turn on", LAMP, modal="can", negated=True)),
        "The child cannot turn on the lamp.",
        "Das Kind kann die Lampe nicht einschalten.",
        "아이는 램프를 켤 수 없어요.",
    ),
    (
        Statement(Clause(ME, "help", WOMAN, modal="must", tense="past")),
        "I had to help the woman.",
        "Ich musste der Frau helfen.",
        "저는 여자를 도와야 했어요.",
    ),
    (
        Statement(Clause(Thing("boy", "this"), "swim", modal="must", negated=True)),
        "This boy must not swim.",
        "Dieser Junge darf nicht schwimmen.",
        "이 소년은 수영하면 안 돼요.",
    ),
    (
        Statement(Clause(WE, "visit", Thing("museum"), modal="may")),
        "We may visit the museum.",
        "Wir dürfen das Museum besuchen.",
        "우리는 박물관을 방문해도 돼요.",
    ),
    (
        Statement(Clause(ME, "rest", modal="want")),
        "I want to rest.",
        "Ich will mich ausruhen.",
        "저는 쉬고 싶어요.",
    ),
    (
        Statement(Clause(WOMAN, "sell", Thing("house", "her"), modal="want")),
        "The woman wants to sell her house.",
        "Die Frau will ihr Haus verkaufen.",
        "여자는 그녀의 집을 팔고 싶어 해요.",
    ),
    (
        Statement(Clause(MAN, "open", Thing("door"), modal="try", tense="past")),
        "The man tried to open the door.",
        "Der Mann versuchte, die Tür aufzumachen.",
        "남자는 문을 열려고 노력했어요.",
    ),
    (
        Statement(Clause(CHILD, "cry", modal="begin", tense="perfect")),
        "The child has begun to cry.",
        "Das Kind hat begonnen zu weinen.",
        "아이는 울기 시작했어요.",
    ),
    # Adjectives as predicates.
    (
        Statement(Clause(DOG, "be", quality="big", than=CAT)),
        "The dog is bigger than the cat.",
        "Der Hund ist größer als die Katze.",
        "개는 고양이보다 더 커요.",
    ),
    (
        Statement(Clause(Thing("bag", "this", True), "be", quality="heavy", negated=True)),
        "These bags are not heavy.",
        "Diese Taschen sind nicht schwer.",
        "이 가방들은 무겁지 않아요.",
    ),
    # Questions and requests.
    (
        Question(Clause(YOU, "read", BOOK, tense="perfect")),
        "Have you read the book?",
        "Hast du das Buch gelesen?",
        "책을 읽었어요?",
    ),
    (
        Question(Clause(Asked(), "close", WINDOW, tense="past"), "who"),
        "Who closed the window?",
        "Wer machte das Fenster zu?",
        "누가 창문을 닫았어요?",
    ),
    (
        Question(Clause(TEACHER, "help", Asked()), "whom"),
        "Who does the teacher help?",
        "Wem hilft der Lehrer?",
        "선생님은 누구를 도와요?",
    ),
    (
        Question(Clause(CHILD, "eat", Asked(), tense="past"), "what"),
        "What did the child eat?",
        "Was aß das Kind?",
        "아이는 무엇을 먹었어요?",
    ),
    (
        Question(Clause(WE, "go"), "where"),
        "Where do we go?",
        "Wohin gehen wir?",
        "우리는 어디에 가요?",
    ),
    (
        Request(Clause(YOU, "give", BOOK, ME)),
        "Please give me the book.",
        "Bitte gib mir das Buch.",
        "저에게 책을 주세요.",
    ),
    (
        Request(Clause(YOU, "turn off", LAMP, negated=True)),
        "Please do not turn off the lamp.",
        "Bitte schalte die Lampe nicht aus.",
        "램프를 끄지 마세요.",
    ),
    # Two clauses.
    (
        Linked(Clause(ME, "sleep"), "because", Clause(ME, "be", quality="tired")),
        "I sleep because I am tired.",
        "Ich schlafe, weil ich müde bin.",
        "저는 피곤하기 때문에 자요.",
    ),
    (
        Linked(Clause(SHE, "close", WINDOW), "if", Clause(IT, "rain"), other_first=True),
        "If it rains, she closes the window.",
        "Wenn es regnet, macht sie das Fenster zu.",
        "비가 오면 그녀는 창문을 닫아요.",
    ),
    (
        Linked(
            Clause(CHILDREN, "laugh", tense="past"),
            "when",
            Clause(TEACHER, "turn on", Thing("radio"), tense="past"),
        ),
        "The children laughed when the teacher turned on the radio.",
        "Die Kinder lachten, als der Lehrer das Radio einschaltete.",
        "선생님이 라디오를 켰을 때 아이들은 웃었어요.",
    ),
    (
        Linked(Clause(IT, "snow", tense="progressive"), "so", Clause(WE, "play", location=KITCHEN)),
        "It is snowing, so we play in the kitchen.",
        "Es schneit gerade, deshalb spielen wir in der Küche.",
        "눈이 오고 있어서 우리는 부엌에서 놀아요.",
    ),
    (
        Linked(Clause(MAN, "cook"), "but", Clause(WOMAN, "read", BOOK)),
        "The man cooks, but the woman reads the book.",
        "Der Mann kocht, aber die Frau liest das Buch.",
        "남자는 요리하지만 여자는 책을 읽어요.",
    ),
    (
        Reported(HE, "think", Clause(CHILDREN, "like", Thing("song"))),
        "He thinks that the children like the song.",
        "Er glaubt, dass den Kindern das Lied gefällt.",
        "그는 아이들이 노래를 좋아한다고 생각해요.",
    ),
    (
        Reported(ME, "not know", Clause(Thing("train"), "arrive", tense="perfect")),
        "I do not know whether the train has arrived.",
        "Ich weiß nicht, ob der Zug angekommen ist.",
        "저는 기차가 도착했는지 몰라요.",
    ),
    (
        Reported(SHE, "know", Clause(MAN, "carry", Thing("box"), modal="can")),
        "She knows that the man can carry the box.",
        "Sie weiß, dass der Mann die Kiste tragen kann.",
        "그녀는 남자가 상자를 나를 수 있다는 것을 알아요.",
    ),
    # Pronouns before a subject that is a noun, but never "sie", which could be the subject.
    (
        Question(Clause(TEACHER, "see", WE)),
        "Does the teacher see us?",
        "Sieht uns der Lehrer?",
        "선생님은 우리를 봐요?",
    ),
    (
        Question(Clause(TEACHER, "see", THEY)),
        "Does the teacher see them?",
        "Sieht der Lehrer sie?",
        "선생님은 그들을 봐요?",
    ),
    (
        Linked(Clause(WE, "laugh"), "because", Clause(TEACHER, "answer", ME)),
        "We laugh because the teacher answers me.",
        "Wir lachen, weil mir der Lehrer antwortet.",
        "선생님이 저에게 대답하기 때문에 우리는 웃어요.",
    ),
    # Relative clauses.
    (
        Statement(
            Clause(Thing("woman", relative=Clause(Gap(WOMAN), "read", BOOK)), "wait for", CHILD)
        ),
        "The woman who reads the book waits for the child.",
        "Die Frau, die das Buch liest, wartet auf das Kind.",
        "책을 읽는 여자는 아이를 기다려요.",
    ),
    (
        Statement(Clause(ME, "buy", they_read_what(TEACHER))),
        "I buy the book that the teacher reads.",
        "Ich kaufe das Buch, das der Lehrer liest.",
        "저는 선생님이 읽는 책을 사요.",
    ),
    (
        Statement(
            Clause(
                HE,
                "know",
                Thing("man", relative=Clause(CHILDREN, "wait for", Gap(MAN), tense="perfect")),
            )
        ),
        "He knows the man who the children have waited for.",
        "Er kennt den Mann, auf den die Kinder gewartet haben.",
        "그는 아이들이 기다린 남자를 알아요.",
    ),
]


@pytest.mark.parametrize(
    ("meaning", "source"), [(row[0], row[1]) for row in GOLDENS], ids=[row[1] for row in GOLDENS]
)
def test_english(meaning: Sentence, source: str) -> None:
    assert english(meaning) == source


@pytest.mark.parametrize(
    ("meaning", "translation"),
    [(row[0], row[2]) for row in GOLDENS],
    ids=[row[2] for row in GOLDENS],
)
def test_german(meaning: Sentence, translation: str) -> None:
    assert german(meaning) == translation


@pytest.mark.parametrize(
    ("meaning", "translation"),
    [(row[0], row[3]) for row in GOLDENS],
    ids=[row[1] for row in GOLDENS],
)
def test_korean(meaning: Sentence, translation: str) -> None:
    assert korean(meaning) == translation

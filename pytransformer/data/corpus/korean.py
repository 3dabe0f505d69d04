"""Meanings in Korean, in the polite style that ends in 요.

A clause is its phrases with their particles, then the predicate, which is built outwards from the
stem: negation, modality, tense, and the ending that the sentence asks for. Whatever is subordinate
comes before what it belongs to. The addressee of a question is left unsaid.
"""

from __future__ import annotations

from dataclasses import replace

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
from pytransformer.data.corpus.korean_phrases import bare, marked, place, subject_role
from pytransformer.data.corpus.lexicon import (
    ADJECTIVES,
    FREQUENCIES,
    INFINITIVES,
    MANNERS,
    REPORTS,
    TIMES,
    VERBS,
)
from pytransformer.data.corpus.meaning import (
    Clause,
    Linked,
    Phrase,
    Presence,
    Pronoun,
    Question,
    Reported,
    Request,
    Sentence,
    Statement,
    Thing,
)

_QUESTION_WORDS = {"when": "언제", "why": "왜"}
# Verbs whose opposite is another verb.
_OPPOSITES = {"있": Stem("없"), "알": Stem("모르", "르")}


def korean(sentence: Sentence) -> str:
    """The Korean sentence, with its punctuation."""
    return _sentence(sentence) + ("?" if isinstance(sentence, Question) else ".")


def _sentence(sentence: Sentence) -> str:
    match sentence:
        case Statement(clause):
            return _join(_arguments(clause, topic=True), _polite(clause))
        case Presence(thing, location, tense):
            stem = past(Stem("있")) if tense == "past" else Stem("있")
            what = marked(bare(thing), "subject")
            return _join(place(location) + "에", what, infinitive(stem) + "요")
        case Question(clause, word):
            return _join(_arguments(clause, topic=True, word=word), _polite(clause))
        case Request(clause):
            stem, arguments = VERBS[clause.verb].korean, _arguments(clause, topic=True)
            if clause.negated:
                return _join(arguments, append(stem, "지 마세요"))
            if stem.text.endswith("주"):
                return _join(arguments, append_eu(stem, "세요"))
            return _join(arguments, infinitive(stem), "주세요")
        case Linked():
            return _linked(sentence)
        case Reported(subject, report, clause):
            entry = REPORTS[report]
            embedded = _join(_arguments(clause, topic=False), _embedded(clause, entry.korean_link))
            who = marked(bare(subject), subject_role(subject, topic=True))
            return _join(who, embedded, infinitive(entry.korean) + "요")


def _linked(sentence: Linked) -> str:
    main, other = sentence.main, sentence.other
    if sentence.link in ("and", "but", "so"):
        # A reason is not a topic of its own.
        topic = sentence.link != "so"
        first = _join(_arguments(main, topic=topic), _joined(main, sentence.link))
        return _join(first, _arguments(other, topic=True), _polite(other))
    if other.subject == main.subject:
        # Said once, as the topic of both.
        who = marked(bare(main.subject), subject_role(main.subject, topic=True))
        unsaid = Pronoun("it")
        other, main = replace(other, subject=unsaid), replace(main, subject=unsaid)
    else:
        who = ""
    subordinate = _join(_arguments(other, topic=False), _joined(other, sentence.link))
    return _join(who, subordinate, _arguments(main, topic=True), _polite(main))


def _joined(clause: Clause, link: str) -> str:
    """The predicate with the ending that ties its clause to the next."""
    match link:
        case "because":
            return append(_tensed(clause), "기 때문에")
        case "if":
            return append_eu(_stem(clause), "면")
        case "when":
            return append_eu(_tensed(clause), "ㄹ 때")
        case "so":
            return infinitive(_stem(clause)) + "서"
        case "and":
            return append(_tensed(clause), "고")
        case _:
            return append(_tensed(clause), "지만")


def _embedded(clause: Clause, link: str) -> str:
    """The predicate with the ending that a verb of saying or knowing asks for."""
    stem = _tensed(clause)
    if link.startswith("다"):
        return plain(stem) + link.removeprefix("다")
    return whether(stem) if link == "는지" else append(stem, link)


def _polite(clause: Clause) -> str:
    if clause.tense == "future":
        return append_eu(_stem(clause), "ㄹ") + " 거예요"
    return infinitive(_tensed(clause)) + "요"


def _tensed(clause: Clause) -> Stem:
    stem = _stem(clause)
    return past(stem) if clause.tense in ("past", "perfect") else stem


def _stem(clause: Clause) -> Stem:
    """The predicate's stem with negation, modality and aspect, but without tense."""
    if clause.quality:
        stem = ADJECTIVES[clause.quality].korean
        return _negated(stem) if clause.negated else stem
    stem = VERBS[clause.verb].korean
    if clause.modal:
        return _modal(clause, stem)
    if clause.tense == "progressive":
        stem = Stem(append(stem, "고") + " 있")
        return Stem(append(stem, "지 않")) if clause.negated else stem
    return _negated(stem) if clause.negated else stem


def _negated(stem: Stem) -> Stem:
    """안 before a short verb, -지 않다 after everything else."""
    if stem.text in _OPPOSITES:
        return _OPPOSITES[stem.text]
    short = len(stem.text) <= 2 and not stem.text.endswith("하") and " " not in stem.text
    if short and not stem.adjective:
        return replace(stem, text="안 " + stem.text)
    return Stem(append(stem, "지 않"), adjective=stem.adjective)


def _modal(clause: Clause, stem: Stem) -> Stem:
    match clause.modal:
        case "can":
            return Stem(append_eu(stem, "ㄹ 수 ") + ("없" if clause.negated else "있"))
        case "must" if clause.negated:
            return Stem(append_eu(stem, "면 안 되"))
        case "must":
            return Stem(infinitive(stem) + "야 하")
        case "may":
            return Stem(infinitive(stem) + "도 되")
        case "want":
            wish = Stem(append(stem, "고 싶"), adjective=True)
            # Others' wishes are seen, not felt.
            others = not isinstance(clause.subject, Pronoun) or clause.subject.person not in (
                "I",
                "you",
                "we",
            )
            wish = Stem(infinitive(wish) + " 하") if others else wish
            return _negated(wish) if clause.negated else wish
    verb = INFINITIVES[clause.modal or ""]
    if verb.ending.startswith("으"):
        joined = append_eu(stem, verb.ending.removeprefix("으"))
    else:
        joined = append(stem, verb.ending)
    return Stem(f"{joined} {verb.korean.text}", verb.korean.irregular)


def _arguments(clause: Clause, *, topic: bool, word: str | None = None) -> str:
    """Everything before the predicate; ``word`` is what a question asks for."""
    subject = marked(_phrase(clause.subject), subject_role(clause.subject, topic=topic))
    time = TIMES[clause.time].korean if clause.time else ""
    free, bound = _places(clause, asked=word == "where")
    return _join(
        time if clause.time_first else "",
        subject,
        "" if clause.time_first else time,
        FREQUENCIES[clause.frequency].korean if clause.frequency else "",
        _QUESTION_WORDS.get(word or "", ""),
        free,
        marked(bare(clause.recipient), "to") if clause.recipient else "",
        _object(clause, word),
        bound,
        f"{bare(clause.than)}보다 더" if clause.than else "",
        MANNERS[clause.manner].korean if clause.manner else "",
    )


def _object(clause: Clause, word: str | None) -> str:
    if clause.object is None:
        return ""
    text = "무엇" if word == "what" else _phrase(clause.object)
    return marked(text, VERBS[clause.verb].korean_object)


def _places(clause: Clause, *, asked: bool) -> tuple[str, str]:
    """The location of an action (에서), and the one that belongs to the verb (에)."""
    if clause.location is None and not asked:
        return "", ""
    text = "어디" if clause.location is None else place(clause.location)
    flags = VERBS[clause.verb].flags
    return ("", text + "에") if "goal" in flags or "stay" in flags else (text + "에서", "")


def _phrase(phrase: Phrase) -> str:
    """The phrase after its relative clause."""
    text = bare(phrase)
    if not isinstance(phrase, Thing) or phrase.relative is None:
        return text
    clause = phrase.relative
    if clause.tense in ("past", "perfect"):
        lasting = "state" in VERBS[clause.verb].flags
        description = attributive_past(_stem(clause), lasting=lasting)
    else:
        description = attributive(_stem(clause))
    return _join(_arguments(clause, topic=False), description, text)


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)

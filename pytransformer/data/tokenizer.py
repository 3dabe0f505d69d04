"""Subwords: SentencePiece behind the vocabulary of a Marian model.

The vocabulary is ``</s>`` = 0, ``<unk>`` = 1, the pieces, and ``<pad>`` last. SentencePiece knows
all of it but ``<pad>``. Source and target share it: a tokenizer trained here has one SentencePiece
model for both; one that came with a Marian model may have two that number their pieces on their
own, which ``vocab.json`` then joins by the pieces' spelling. ``vocabulary`` learns new ones.

Source: Kudo and Richardson 2018 (SentencePiece).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import sentencepiece

from pytransformer.errors import UserError
from pytransformer.files import atomic_file, read_json, write_json

SOURCE_MODEL = "source.spm"
TARGET_MODEL = "target.spm"
VOCABULARY = "vocab.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_FILES = (SOURCE_MODEL, TARGET_MODEL, VOCABULARY, TOKENIZER_CONFIG)

EOS = "</s>"
UNKNOWN = "<unk>"
PAD = "<pad>"

# How SentencePiece spells a space.
SPACE = "▁"
_REMEDY = "copy it again from where it was whole"


class Tokenizer:
    """Text to ids and back.

    Attributes:
        source_language, target_language: language codes, or "" when not known.
    """

    eos_id = 0
    unk_id = 1

    def __init__(
        self,
        source_model: bytes,
        target_model: bytes,
        vocabulary: dict[str, int],
        source_language: str = "",
        target_language: str = "",
    ) -> None:
        """Join two SentencePiece models by a vocabulary.

        Args:
            source_model: a serialized SentencePiece model for source text.
            target_model: likewise for target text; the same for a joint tokenizer.
            vocabulary: piece to id, ``<pad>`` included.
            source_language: a language code, or "".
            target_language: likewise.

        Raises:
            ValueError: if the vocabulary is not numbered as this module says, or a model is empty.
            RuntimeError: if a model is damaged.
        """
        _check_vocabulary(vocabulary)
        self.source_language = source_language
        self.target_language = target_language
        self._models = (source_model, target_model)
        self._vocabulary = vocabulary
        self._pieces = sorted(vocabulary, key=vocabulary.__getitem__)
        self._source = _processor(source_model)
        self._target = _processor(target_model)
        self._source_ids = self._ids_of(self._source)
        self._target_ids = self._ids_of(self._target)

    @classmethod
    def from_model(
        cls, model: bytes, source_language: str = "", target_language: str = ""
    ) -> Tokenizer:
        """A joint tokenizer from one SentencePiece model; ``<pad>`` is added after its pieces."""
        processor = _processor(model)
        pieces = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
        vocabulary = {piece: index for index, piece in enumerate([*pieces, PAD])}
        if len(vocabulary) != len(pieces) + 1:
            raise ValueError(f"the SentencePiece model has a piece {PAD!r} or one piece twice")
        return cls(model, model, vocabulary, source_language, target_language)

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Read the four files that ``save`` writes, or one SentencePiece model.

        Args:
            path: a directory (a model, prepared data), or a ``.spm`` file.

        Raises:
            UserError: naming the file that is missing or damaged.
        """
        path = Path(path)
        if path.is_file():
            return _building(path, lambda: cls.from_model(_read(path)))
        if not path.is_dir():
            raise UserError(f"{path} does not exist; expected a directory with {SOURCE_MODEL}")
        vocabulary = read_json(path / VOCABULARY, _REMEDY)
        languages = read_json(path / TOKENIZER_CONFIG, _REMEDY)
        models = _read(path / SOURCE_MODEL), _read(path / TARGET_MODEL)
        source_language = str(languages.get("source_lang") or "")
        target_language = str(languages.get("target_lang") or "")
        return _building(path, lambda: cls(*models, vocabulary, source_language, target_language))

    @property
    def vocab_size(self) -> int:
        """The number of ids, ``<pad>`` included."""
        return len(self._pieces)

    @property
    def pad_id(self) -> int:
        """The last id: ``<pad>``, which also starts every target sentence."""
        return len(self._pieces) - 1

    @property
    def folds_case(self) -> bool:
        """Whether target text loses its upper case."""
        return bool(self._target.normalize("A").endswith("a"))

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """Source sentences as ids, without ``</s>``; a blank sentence gives an empty list."""
        return _renumber(self._source.encode(list(lines), out_type=int), self._source_ids)

    def encode_target(self, lines: Sequence[str]) -> list[list[int]]:
        """Target sentences as ids; the same as ``encode`` for a joint tokenizer."""
        return _renumber(self._target.encode(list(lines), out_type=int), self._target_ids)

    def spelling(self) -> list[str]:
        """Every piece by its id, ``</s>``, ``<unk>`` and ``<pad>`` included."""
        return list(self._pieces)

    def scores(self) -> list[float]:
        """What SentencePiece's target model ranks the pieces by, highest first; 0 for others'."""
        scores = [0.0] * self.vocab_size
        for index in range(self._target.get_piece_size()):
            scores[self._target_ids[index] if self._target_ids else index] = self._target.get_score(
                index
            )
        return scores

    def decode(self, sentences: Sequence[Sequence[int]]) -> list[str]:
        """Ids as target sentences; ``</s>`` and ``<pad>`` are left out.

        Raises:
            ValueError: if an id is not in the vocabulary.
        """
        texts = self._target.decode([self.pieces(ids) for ids in sentences])
        # A piece of the source model alone is left as it is spelled, with the mark for a space.
        return [text.replace(SPACE, " ").strip() for text in texts]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces of one sentence, spelled as in the vocabulary, without ``</s>``, ``<pad>``.

        Raises:
            ValueError: if an id is not in the vocabulary.
        """
        for index in ids:
            if not 0 <= index < self.vocab_size:
                raise ValueError(f"id {index} is not in the vocabulary of {self.vocab_size} ids")
        silent = (self.eos_id, self.pad_id)
        return [self._pieces[index] for index in ids if index not in silent]

    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal of what decides which text becomes which ids."""
        vocabulary = json.dumps(self._vocabulary, sort_keys=True).encode()
        parts = [hashlib.sha256(part).digest() for part in (*self._models, vocabulary)]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def save(self, directory: str | Path) -> None:
        """Write ``source.spm``, ``target.spm``, ``vocab.json`` and ``tokenizer_config.json``.

        The files are those of a Hugging Face ``MarianTokenizer``.
        """
        directory = Path(directory)
        for name, model in zip((SOURCE_MODEL, TARGET_MODEL), self._models, strict=True):
            with atomic_file(directory / name) as temporary:
                temporary.write_bytes(model)
        write_json(directory / VOCABULARY, self._vocabulary)
        config = {
            "tokenizer_class": "MarianTokenizer",
            "source_lang": self.source_language,
            "target_lang": self.target_language,
            "eos_token": EOS,
            "unk_token": UNKNOWN,
            "pad_token": PAD,
            "model_max_length": 512,
            "separate_vocabs": False,
        }
        write_json(directory / TOKENIZER_CONFIG, config)

    def _ids_of(self, processor: sentencepiece.SentencePieceProcessor) -> list[int] | None:
        """Id by SentencePiece's own number; None where the two are the same."""
        count = processor.get_piece_size()
        ids = [
            self._vocabulary.get(processor.id_to_piece(index), self.unk_id)
            for index in range(count)
        ]
        return None if ids == list(range(count)) else ids


def _processor(model: bytes) -> sentencepiece.SentencePieceProcessor:
    if not model:  # it would be taken for no model at all
        raise ValueError("a SentencePiece model is empty")
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def _check_vocabulary(vocabulary: dict[str, int]) -> None:
    if set(vocabulary.values()) != set(range(len(vocabulary))):
        raise ValueError(f"its ids are not 0 to {len(vocabulary) - 1}, each once")
    for piece, expected in ((EOS, 0), (UNKNOWN, 1), (PAD, len(vocabulary) - 1)):
        if vocabulary.get(piece) != expected:
            raise ValueError(f"{piece} has the id {vocabulary.get(piece)}, expected {expected}")


def _renumber(sentences: list[list[int]], ids: list[int] | None) -> list[list[int]]:
    if ids is None:
        return sentences
    return [[ids[index] for index in sentence] for sentence in sentences]


def _building(path: Path, build: Callable[[], Tokenizer]) -> Tokenizer:
    try:
        return build()
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{path} holds no usable tokenizer: {error}; {_REMEDY}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error

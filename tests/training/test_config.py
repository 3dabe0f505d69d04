"""What a configuration refuses, in which words; and that what it writes it reads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytransformer.errors import UserError
from pytransformer.training import from_tables, load, toml
from tests.cases.micro_run import tables

_DATA, _OUTPUT = Path("data"), Path("run")

_REFUSED = [
    ({"training__warmup_stps": 5}, "[training] warmup_stps is unknown; did you mean warmup_steps?"),
    ({"model__layers": 5}, "[model] layers is unknown"),
    ({"model__dropuot": 0.1}, "[model] dropuot is unknown; did you mean dropout?"),
    ({"model__vocab_size": 5}, "[model] vocab_size comes from the prepared data"),
    ({"model__preset": "tyni"}, "[model] preset 'tyni' is unknown"),
    ({"model__dropout": 1.5}, "[model] dropout = 1.5: must be at least 0 and less than 1"),
    ({"model__heads": 3}, "[model] d_model = 16 is not a multiple of heads = 3"),
    ({"model__heads": "two"}, "[model] heads = 'two': must be a whole number"),
    ({"model__norm_first": 1}, "[model] norm_first = 1: must be true or false"),
    ({"data__directory": ""}, "[data] directory is missing"),
    ({"data__directory": 3}, "[data] directory = 3: must be a string"),
    ({"data__batch_tokens": True}, "[data] batch_tokens = True: must be a whole number"),
    ({"data__batch_tokens": 0}, "[data] batch_tokens = 0: must be at least 1"),
    ({"data__batch_tokens": 10**20}, "[data] batch_tokens = 1" + 20 * "0" + ": must be at most"),
    ({"data__weights": [1, 0]}, "[data] weights = 0.0: must be more than 0"),
    ({"data__weights": [1e9]}, "[data] weights = 1000000000.0: must be at most 1000"),
    ({"data__weights": 2}, "[data] weights = 2: must be a list of numbers"),
    (
        {"data__weights": [1, 2]},
        "[data] weights = [1.0, 2.0]: must be 1 numbers, one for",
    ),
    ({"data__more_directories": "b"}, "[data] more_directories = 'b': must be a list of strings"),
    ({"data__more_directories": [1]}, "[data] more_directories = 1: must be a string"),
    ({"data__bpe_dropout": -0.1}, "[data] bpe_dropout = -0.1: must be at least 0"),
    ({"data__bpe_dropout": 1}, "[data] bpe_dropout = 1.0: must be less than 1"),
    ({"model__layer_norm_eps": float("inf")}, "[model] layer_norm_eps = inf: must be more than 0"),
    ({"training__seed": 2**64}, "[training] seed = 18446744073709551616: must be at most"),
    ({"training__threads": 100_000}, "[training] threads = 100000: must be at most 1024"),
    ({"training__max_steps": -1}, "[training] max_steps = -1: must be at least 0"),
    ({"training__max_steps": 0}, "[training] max_steps, max_epochs and max_minutes are all 0"),
    ({"training__max_minutes": float("nan")}, "[training] max_minutes = nan: must be finite"),
    ({"training__schedule": "cosine"}, "must be one of paper, inverse_sqrt, linear"),
    ({"training__schedule": "linear", "training__warmup_steps": 13}, "at least warmup_steps = 13"),
    ({"training__schedule": "paper"}, '[training] learning_rate = 0.01: schedule "paper" takes'),
    ({"training__learning_rate": 0}, "[training] learning_rate is 0"),
    ({"training__label_smoothing": 1}, "[training] label_smoothing = 1.0: must be less than 1"),
    ({"training__adam_betas": [0.9]}, "[training] adam_betas = [0.9]: must be a list of 2 numbers"),
    ({"training__adam_betas": [0.9, 1]}, "[training] adam_betas = 1.0: must be less than 1"),
    ({"training__adam_eps": 0}, "[training] adam_eps = 0.0: must be more than 0"),
    ({"training__max_skipped": 0}, "[training] max_skipped = 0: must be at least 1"),
    ({"training__precision": "half"}, "must be one of float32, bfloat16"),
    ({"validation__metric": "ter"}, "[validation] metric = 'ter': must be one of bleu, loss"),
    ({"validation__patience": 2}, "[validation] patience = 2 counts validations, but every_steps"),
    ({"checkpoints__keep": 0}, "[checkpoints] keep = 0: must be at least 1"),
]


@pytest.mark.parametrize(("changes", "message"), _REFUSED)
def test_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        from_tables(tables(_DATA, _OUTPUT, **changes))


def test_refuses_unknown_tables() -> None:
    with pytest.raises(UserError, match=r"\[trainin\] is unknown; did you mean training\?"):
        from_tables({**tables(_DATA, _OUTPUT), "trainin": {}})
    with pytest.raises(UserError, match=r"\[model\] must be a table, but is 'tiny'"):
        from_tables({**tables(_DATA, _OUTPUT), "model": "tiny"})


def test_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    with pytest.raises(UserError, match=r"train.toml: No such file"):
        load(path)
    path.write_text("[data\n")
    with pytest.raises(UserError, match=r"train.toml is not TOML: .*line 1"):
        load(path)
    path.write_text("[data]\ndirectory = 'x'\n")
    with pytest.raises(UserError, match=r"train.toml: \[training\] output is missing"):
        load(path)


def test_set_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text("[data]\ndirectory = 'x'\n[training]\noutput = 'y'\nseed = 3\n")
    changes = [
        "training.seed=4",
        "training.output=runs/a b",
        "training.adam_betas=[0.9, 0.99]",
        "model.dropout = 0.3",
        'validation.metric="loss"',
    ]
    config = load(path, changes)
    assert (config.training.seed, config.training.output) == (4, "runs/a b")
    assert config.training.adam_betas == (0.9, 0.99)
    assert config.model.transformer_config(10).dropout == 0.3
    assert config.validation.metric == "loss"
    for wrong in ("training.seed", "seed=3", "training.=3"):
        with pytest.raises(UserError, match=r"write table.key=value"):
            load(path, [wrong])


def test_what_is_written_is_read_back() -> None:
    config = from_tables(tables(Path('a "quoted" \\ ü'), _OUTPUT, training__adam_eps=1e-12))
    again = from_tables(tomllib.loads(toml.dumps(config)))
    assert again.to_tables() == config.to_tables()
    assert toml.dumps(again) == toml.dumps(config)


def test_documented_defaults_lack_only_what_is_required() -> None:
    values = tomllib.loads(toml.documented_defaults())
    with pytest.raises(UserError, match=r"\[data\] directory is missing"):
        from_tables(values)
    values["data"]["directory"], values["training"]["output"] = "x", "y"
    minimal = {"data": {"directory": "x"}, "training": {"output": "y"}}
    assert from_tables(values).to_tables() == from_tables(minimal).to_tables()

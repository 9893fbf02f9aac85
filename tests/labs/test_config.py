"""Settings: defaults, preset, file, flags, in this order; and what is refused, in one line."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from foundations.errors import InputError
from labs.kit.config import Config, Count, Presets, Rate, Share, check, parse, to_record


@dataclass(frozen=True)
class Own(Config):
    """The settings of a lab of the tests."""

    steps: Count = 100
    """Updates."""
    learning_rate: Rate = 0.1
    """Step size."""
    dropout: Share = 0.5
    """Share of units that rest."""
    model: Literal["dense", "dcgan"] = "dense"
    """Network."""
    shuffle: bool = True
    """Whether to shuffle."""
    sizes: tuple[int, ...] = (32, 16)
    """Units a layer."""

    presets: ClassVar[Presets] = {"smoke": {"steps": 2}, "full": {"steps": 1000, "model": "dcgan"}}


def settings(*words: str) -> Own:
    return parse(Own, words, program="python -m labs.own", about="A lab.")


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "settings.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_without_flags_the_preset_is_quick():
    assert settings() == Own()


def test_a_preset_changes_the_defaults():
    assert (settings("--preset", "full").steps, settings("--preset", "full").model) == (1000, "dcgan")


def test_a_flag_overrides_the_preset_wherever_it_stands():
    assert settings("--steps", "7", "--preset", "full").steps == 7
    assert settings("--preset", "full", "--steps", "7").steps == 7


def test_a_file_overrides_the_preset_and_a_flag_the_file(file):
    path = file("steps: 5\nlearning-rate: 1e-3\n")
    found = settings("--preset", "full", "--config", path, "--learning-rate", "0.25")
    assert (found.steps, found.learning_rate, found.model) == (5, 0.25, "dcgan")


def test_a_file_may_name_the_preset(file):
    assert settings("--config", file("preset: smoke")).steps == 2


def test_a_number_in_a_file_may_be_written_as_yaml_reads_text(file):
    assert settings("--config", file("learning_rate: 1e-3")).learning_rate == 0.001


def test_flags_may_be_written_with_an_equals_sign(file):
    assert settings("--preset=full", f"--config={file('steps: 9')}").steps == 9


def test_settings_survive_a_record():
    config = settings("--tag", "a=b", "--sizes", "1", "2", "3", "--no-shuffle")
    assert check(Own, to_record(config)) == config


def test_a_tag_may_hold_equals_signs():
    assert settings("--tag", "formula=a=b").tag == ("formula=a=b",)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stepz", "3"], "did you mean --steps?"),
        (["--steps", "0"], "steps=0: must be greater than or equal to 1"),
        (["--steps", "-5"], "steps"),
        (["--steps", "many"], "steps"),
        (["--steps", "1.5"], "steps"),
        (["--steps"], "steps"),
        (["--learning-rate", "0"], "learning_rate=0.0: must be greater than 0"),
        (["--learning-rate", "nan"], "learning_rate"),
        (["--learning-rate", "inf"], "learning_rate"),
        (["--dropout", "1.5"], "dropout=1.5: must be less than or equal to 1"),
        (["--model", "dcgann"], "dense"),
        (["--preset", "huge"], "--preset"),
        (["--seed", "-1"], "seed=-1: must be greater than or equal to 0"),
        (["--device", "tpu"], "auto"),
        (["--threads", "-2"], "threads=-2"),
        (["--tag", "novalue"], "tag='novalue': must be key=value"),
        (["--tag", "a@b=c"], "tag='a@b=c': must be key=value"),
        (["--checkpoint-seconds", "0"], "checkpoint_seconds"),
        (["surplus"], "surplus"),
        (["--sizes", "a"], "sizes"),
        (["--config", "no/such/file.yaml"], "no/such/file.yaml: cannot be read"),
        (["--config", "."], "--config .: cannot be read"),
    ],
)
def test_a_bad_flag_is_refused_in_one_line_that_names_it(words, said):
    with pytest.raises(InputError) as caught:
        settings(*words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: [1", "is not valid YAML"),
        ("- steps", "must hold settings"),
        ("", "must hold settings"),
        ("stepz: 3", "did you mean 'steps'?"),
        ("steps: 0", "steps=0: must be greater than or equal to 1"),
        ("steps: many", "steps='many'"),
        ("steps: null", "steps=None"),
        ("model: 3", "model=3"),
        ("preset: huge", "preset='huge'"),
        ("preset: [1]", "preset"),
        ("learning_rate: .nan", "learning_rate"),
        ("5: 6", "5"),
        ("!!python/object/apply:os.mkdir [harm]", "is not valid YAML"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_it(file, text, said):
    path = file(text)
    with pytest.raises(InputError) as caught:
        settings("--config", path)
    assert said in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="is not valid YAML"):
        settings("--config", str(path))


def test_an_unknown_setting_of_an_old_record_is_named():
    with pytest.raises(InputError, match="record of toy: colour='red': unknown setting"):
        check(Own, {"colour": "red"}, source="record of toy: ")


def test_help_exits_with_0_and_names_every_setting(capsys):
    with pytest.raises(SystemExit) as caught:
        settings("--help")
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert all(flag in said for flag in ("--steps", "--learning-rate", "--preset", "--seed", "Step size."))

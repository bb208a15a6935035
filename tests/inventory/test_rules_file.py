"""The file in which an operator adds rules is judged at the start, every mistake named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.inventory.domain.policy import RulesRefusedError, parse
from services.inventory.settings import Settings

REQUIRED = {
    "postgres_dsn": "postgresql://nobody@localhost/nothing",
    "kafka_servers": "localhost:9092",
    "api_port": 1,
    "health_port": 2,
    "console_secret": "only the console knows",
}


def refusal(text: str) -> str:
    with pytest.raises(RulesRefusedError) as refused:
        parse(text)
    return str(refused.value)


def test_every_mistake_is_named_at_once_with_its_place() -> None:
    said = refusal(
        """
        [[rules]]
        brand = ""
        hosted_ok = true

        [[rules]]
        since = "in spring"
        certificate_type = "QV"
        most_names = 0
        domains = "all"
        hosted = true

        [[rules]]
        since = 2026-01-01
        brand = "cfca"
        """
    )

    places = [one.partition(":")[0] for one in said.split("; ")]
    assert sorted(set(places)) == [
        "rules.0.brand",
        "rules.0.since",
        "rules.1.certificate_type",
        "rules.1.domains",
        "rules.1.hosted",
        "rules.1.most_names",
        "rules.1.since",
        "rules.2",
    ]
    assert "rules.2: Value error, sets no rule" in said


def test_what_is_no_toml_and_what_is_no_rule_is_refused() -> None:
    assert refusal("[[rules]").startswith("not TOML: ")
    assert refusal("rule = []") == "rule: Extra inputs are not permitted"


def test_file_without_lines_changes_nothing() -> None:
    assert parse("").lines == parse("rules = []").lines


def test_service_does_not_start_with_a_file_that_cannot_be_used(tmp_path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("rules = [{ since = 2026-01-01, most_names = 0, fewest = 1 }]")

    with pytest.raises(ValidationError) as refused:
        Settings(**REQUIRED, rules_file=file)

    assert "rules.0.most_names" in str(refused.value)
    assert "rules.0.fewest" in str(refused.value)


def test_service_does_not_start_without_the_file_that_it_was_told_of(tmp_path) -> None:
    with pytest.raises(ValidationError, match="cannot be read: No such file"):
        Settings(**REQUIRED, rules_file=Path(tmp_path, "gone.toml"))


def test_rules_of_the_file_hold_in_the_service(tmp_path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("rules = [{ since = 2026-01-01, fewest = 3 }]")

    settings = Settings(**REQUIRED, rules_file=file)

    assert settings.rulebook.lines == parse(file.read_text()).lines

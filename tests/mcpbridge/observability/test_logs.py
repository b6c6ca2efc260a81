import json
import logging

import pytest

from mcpbridge.observability.logs import JsonFormatter, LineFormatter, request_id
from tests.token_shapes import assembled_token


def record(message, *arguments, fault=None):
    return logging.LogRecord("mcpbridge", logging.ERROR, __file__, 1, message, arguments, fault)


@pytest.fixture
def asked():
    before = request_id.set("0a1b")
    yield "0a1b"
    request_id.reset(before)


@pytest.fixture
def fault(token):
    try:
        raise ValueError(f"Bearer {token}")
    except ValueError as error:
        return type(error), error, error.__traceback__


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])
def test_a_secret_is_masked_in_the_message_its_arguments_and_the_traceback(formatter, token, fault):
    line = formatter.format(record("got %s from %s", token, {"Authorization": f"Bearer {token}"}, fault=fault))
    assert assembled_token().rsplit("_", 1)[1] not in line
    assert "4f8a2c1bdedf" in line
    assert "ValueError" in line


def test_a_json_line_says_when_how_bad_and_for_which_request(asked):
    line = json.loads(JsonFormatter().format(record("two\nlines %d", 7)))
    assert line.pop("at").endswith("+00:00")
    assert line == {"level": "ERROR", "logger": "mcpbridge", "message": "two\nlines 7", "request_id": asked}


def test_what_cannot_be_encoded_does_not_cost_the_line():
    assert json.loads(JsonFormatter().format(record("half \ud800 a pair")))["message"] == "half ? a pair"


def test_a_line_for_people_names_the_request_where_there_is_one(asked):
    assert LineFormatter().format(record("failed")).endswith(f"mcpbridge: failed [request {asked}]")


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])
def test_a_line_whose_parts_do_not_fit_is_written_masked(formatter, token, capsys):
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.handle(record("got %d of %s", token))
    printed = capsys.readouterr().err
    assert "4f8a2c1bdedf" in printed
    assert assembled_token().rsplit("_", 1)[1] not in printed

"""The boundary to a confined process: whatever it sends becomes an answer or an error in one line, never a traceback and never a hang."""

import contextlib
import json
import os
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.core.loop import run
from benchmark.core.rules import Budget, Rules, Track
from benchmark.errors import BadMessage, BudgetExceeded, ContractBroken, Stopped, ThriveError, Unsupported
from benchmark.isolation import answers
from benchmark.isolation.harness_side import QUESTIONS, VIEWS, Clock, RemoteStrategy
from benchmark.messages import MOST_PIECES, decode, encode, one_line
from benchmark.tasks.gaussian import Gaussian

TASK = Gaussian(d=2, n=8)
METHODS = ("training_set", "fit_options", "sample_request", "keep")
HONEST = {
    "training_set": {"rows": [{"view": 0, "all": None}]},
    "fit_options": {"options": {}},
    "sample_request": {"request": {}},
}
SEVERAL = settings(
    max_examples=40 * int(os.environ.get("THRIVE_FUZZ", "1")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Scripted:
    """In place of a confined process: sends what a script says, then what an honest strategy says."""

    def __init__(self, **replies: list) -> None:
        self._replies = {method: list(several) for method, several in replies.items()}
        self._method = "setup"
        self._candidates = 0
        self.heard: list = []

    def ask(self, message, seconds):
        if seconds <= 0:
            raise Stopped("gave no answer in the seconds that it has")
        self._method = message.get("method", "setup" if "do" in message else self._method)
        self._candidates = message["view"][0] if self._method == "keep" and "view" in message else self._candidates
        self.heard.append(decode(encode(message)))
        if self._replies.get(self._method):
            reply = self._replies[self._method].pop(0)
            return decode(reply if isinstance(reply, bytes) else encode(reply))
        if self._method == "keep":
            return {"done": {"rows": [{"view": self._candidates, "first": 8}]}}
        return {"done": HONEST.get(self._method)}


def outcome(track=Track.BLIND, seconds=60.0, horizon=2, **replies):
    """The records of a run, or the error that ended it."""
    process = Scripted(**replies)
    rules = Rules(track, Budget.GROWING)
    try:
        return list(run(TASK, lambda: RemoteStrategy(process, seconds, Clock(seconds)), rules, 0, horizon))
    except ThriveError as error:
        return error


NUMBERS = st.one_of(
    st.integers(-3, 30), st.integers(), st.just(10**30), st.floats(), st.booleans(), st.none(), st.text(max_size=5)
)
ARRAYS = st.builds(
    lambda values, dtype: np.array(values).astype(dtype),
    st.one_of(
        st.lists(st.integers(-3, 30), max_size=20),
        st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), max_size=4),
    ),
    st.sampled_from(["<i8", "<i4", "<f8", "|b1", "|u1"]),
)
PLAIN = st.recursive(
    st.one_of(NUMBERS, ARRAYS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
ANY = st.one_of(NUMBERS, ARRAYS, PLAIN)
PART = st.one_of(
    PLAIN,
    st.builds(
        lambda view, how, what: {"view": view, how: what},
        st.one_of(st.integers(-1, 2), ANY),
        st.sampled_from(["all", "first", "ids", "drawn", "none of these"]),
        ANY,
    ),
)
SELECTION = st.one_of(
    PLAIN,
    st.builds(lambda parts: {"rows": parts}, st.lists(PART, max_size=4)),
    st.builds(lambda ids: {"array": ids}, ANY),
)
TRAINING_SET = st.one_of(
    SELECTION,
    st.builds(lambda parts: {"parts": parts}, st.lists(st.lists(st.one_of(SELECTION, ANY), max_size=3), max_size=3)),
)
KNOBS = ("ddof", "bandwidth_factor", "ridge", "token_loss_clip", "bandwidth_rule", "blend", "negative", "temperature")
OPTIONS = st.builds(
    lambda found: {"options": found},
    st.one_of(ANY, st.dictionaries(st.sampled_from(KNOBS), st.one_of(ANY, st.lists(TRAINING_SET, max_size=3)))),
)
REQUEST = st.builds(
    lambda found: {"request": found},
    st.one_of(ANY, st.dictionaries(st.sampled_from(["count", "temperature", "top_p", "preserve_variance"]), ANY)),
)
QUESTION = st.builds(
    lambda asked, view, arguments: {"ask": asked, "view": view, "arguments": arguments},
    st.sampled_from(["ids", "generation", "features", "log_likelihood", "verifier_scores", "real", "latest",
                     "generations", "rows", "first", "ids of", "buy_real", "__class__", "_views"]),
    st.one_of(st.just(0), ANY),
    st.one_of(ANY, st.lists(st.one_of(ANY, SELECTION), max_size=3)),
)  # fmt: skip
REPLY = st.one_of(
    PLAIN,
    QUESTION,
    st.builds(lambda value: {"done": value}, st.one_of(TRAINING_SET, OPTIONS, REQUEST)),
    st.builds(lambda name, text: {"raised": name, "text": text}, st.one_of(ANY, st.text()), ANY),
)


@pytest.mark.fuzz
@SEVERAL
@given(st.dictionaries(st.sampled_from(METHODS), st.lists(REPLY, max_size=4)), st.sampled_from(Track))
def test_hostile_replies_end_in_an_answer_or_in_an_error_of_ours(replies, track):
    with np.errstate(all="ignore"):
        found = outcome(track, **replies)
    assert isinstance(found, list) or str(found)


@pytest.mark.fuzz
@SEVERAL
@given(TRAINING_SET)
def test_hostile_training_sets(answer):
    with np.errstate(all="ignore"):
        found = outcome(training_set=[{"done": answer}])
    assert isinstance(found, (list, BadMessage, ContractBroken))


@pytest.mark.fuzz
@SEVERAL
@given(OPTIONS, REQUEST)
def test_hostile_knobs(options, request):
    with np.errstate(all="ignore"):
        found = outcome(fit_options=[{"done": options}], sample_request=[{"done": request}])
    assert isinstance(found, (list, BadMessage, ContractBroken, Unsupported))


@pytest.mark.fuzz
@SEVERAL
@given(st.one_of(st.binary(), st.text().map(str.encode), PLAIN.map(encode), PLAIN.map(encode).map(lambda x: x[:-3])))
def test_any_line_is_a_message_or_a_bad_one(line):
    with contextlib.suppress(BadMessage):
        decode(line)


@given(st.text())
def test_any_text_becomes_one_plain_line(text):
    line = one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    assert len(one_line(text * 100, 10)) < 10 * 10 + 60


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\u202egnp", "\r", "\x00", "\u2028", "\ud800", "\x85", "\x7f"])
def test_characters_that_are_not_plain_are_escaped(text):
    assert "\\" in one_line(text)
    assert one_line(text).isprintable()


def test_plain_text_stays_as_it_is():
    assert one_line("σ² = 1, é, 漢字 ✓ ‘so’") == "σ² = 1, é, 漢字 ✓ ‘so’"


def test_an_honest_script_runs_to_its_end():
    """This shows that other scripts fail because of what they send, not because they are scripts."""
    assert len(outcome()) == 2


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_draw_is_no_fault(method):
    """`pool.sample(0)` together with other rows, as a strategy that divides a budget may ask for."""
    nothing = {"view": 0, "drawn": np.empty(0, np.int64)}
    both = {"done": {"rows": [nothing, {"view": 0, "all": None}]}}
    question = {"ask": "features", "view": 0, "arguments": [{"rows": [nothing]}]}
    assert (
        len(outcome(training_set=[question, both], **({method: [question]} if method != "training_set" else {}))) == 2
    )


def test_a_training_set_of_an_empty_draw_is_refused_as_outside_the_sandbox():
    found = outcome(training_set=[{"done": {"rows": [{"view": 0, "drawn": np.empty(0, np.int64)}]}}])
    assert "no row of weight above 0" in str(found)


@pytest.mark.parametrize("numbers", [[0, 0], [-1], [8], [[0, 1]], [0.0]])
def test_a_draw_must_be_distinct_row_numbers(numbers):
    found = outcome(training_set=[{"done": {"rows": [{"view": 0, "drawn": np.array(numbers)}]}}])
    assert isinstance(found, BadMessage)


def test_questions_and_views_are_counted():
    """The allowed number is answered; one more ends the run."""
    ids, latest = ({"ask": asked, "view": 0, "arguments": []} for asked in ("ids", "latest"))
    assert len(outcome(training_set=[ids] * QUESTIONS)) == 2
    assert "more than 10,000 questions" in str(outcome(training_set=[ids] * (QUESTIONS + 1)))
    assert len(outcome(Track.LABELLED, training_set=[latest] * (VIEWS - 2))) == 2  # the pool and the candidates are two
    assert "more than 1,000 views" in str(outcome(Track.LABELLED, training_set=[latest] * VIEWS))


def test_questions_are_counted_by_iteration():
    """Each iteration has its own allowance: unused questions are not carried over, and used ones are not charged to the next."""
    ids = {"ask": "ids", "view": 0, "arguments": []}
    process = Scripted(training_set=[ids] * QUESTIONS, keep=[])
    strategy = RemoteStrategy(process, 60, Clock(60))
    asked = iter([[ids] * QUESTIONS, [ids] * QUESTIONS])

    def make():
        process._replies["training_set"] = next(asked)
        return strategy

    assert len(list(run(TASK, make, Rules(budget=Budget.GROWING), 0, 2))) == 2


def test_rows_are_counted():
    whole = {"view": 0, "all": None}
    assert isinstance(outcome(training_set=[{"done": {"rows": [whole] * 5}}]), BudgetExceeded)
    assert "rows in one selection" in str(outcome(training_set=[{"done": {"rows": [whole] * 5}}]))
    assert "at most 4096" in str(outcome(training_set=[{"done": {"rows": [whole] * 4097}}]))
    about = {"ask": "features", "view": 0, "arguments": [{"rows": [whole] * 5}]}
    process = Scripted(training_set=[about])
    list(run(TASK, lambda: RemoteStrategy(process, 60, Clock(60)), Rules(), 0, 1))
    assert [heard["refused"] for heard in process.heard if "refused" in heard] == ["BudgetExceeded"]


def test_a_selection_of_many_parts_takes_time_in_proportion():
    """400,000 parts once blocked the harness: joining them one by one takes quadratic time."""
    part = b'{"view":0,"all":null}'
    line = b'{"done":{"rows":[' + b",".join([part] * 400_000) + b"]}}"
    begun = time.process_time()
    assert isinstance(outcome(training_set=[line]), BadMessage)
    assert time.process_time() - begun < 5  # it takes a tenth of a second; their square, hours


def test_the_seconds_of_a_call_and_of_all_calls_are_limited():
    process, clock = Scripted(), Clock(1.0)
    with pytest.raises(Stopped, match="gave no answer"):
        list(run(TASK, lambda: RemoteStrategy(process, 0.0, clock), Rules(), 0, 1))
    clock.add(0.5)
    with pytest.raises(Stopped, match="used up the 1 s that it has for all its runs"):
        clock.add(0.5)
    with pytest.raises(Stopped):
        list(run(TASK, lambda: RemoteStrategy(process, 60, clock), Rules(), 0, 1))


def test_the_number_of_pieces_of_a_message_is_limited():
    """A list costs thirty times its bytes in memory."""
    assert decode(b"[" + b",".join([b"1"] * (MOST_PIECES // 2)) + b"]")
    with pytest.raises(BadMessage, match="pieces, and a message has at most"):
        decode(b"[" + b",".join([b"[]"] * MOST_PIECES) + b"]")


def test_the_number_of_digits_of_an_integer_is_limited():
    state = np.random.default_rng(0).bit_generator.state
    assert decode(encode(state)) == state
    with pytest.raises(BadMessage, match="a number of 401 digits"):
        decode(json.dumps({"count": 10**400}).encode())


@pytest.mark.parametrize("name", ["Stopped", "BadParams", "PinMismatch", "os", "__class__", "ThriveError"])
def test_a_process_can_raise_only_errors_of_a_strategy(name):
    found = outcome(training_set=[{"raised": name, "text": "x"}])
    assert type(found).__name__ == "StrategyFailed"


@pytest.mark.parametrize(("check", "good", "bad"), [
    (answers.whole, [0, -5, 2**60], [True, 1.0, "1", None, 2**63, -(2**63)]),
    (answers.number, [0, 1.5, float("nan"), float("inf")], [True, "1", None, 10**30, [1]]),
    (answers.word, ["", "first"], [1, None, "x" * 101]),
    (answers.array, [np.arange(2), np.ones(2), np.ones(1, bool)], [[1], 1, np.array(["a"], object), None]),
    (answers.setting, [None, True, 1, 0.5, "scott"], [[], {}, np.ones(1), "x" * 101, 10**30]),
])  # fmt: skip
def test_each_form_accepts_good_values_and_refuses_bad_ones(check, good, bad):
    for found in good:
        check(found)
    for found in bad:
        with pytest.raises(BadMessage, match="the confined process sent"):
            check(found)

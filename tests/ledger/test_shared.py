"""What several threads and processes share: claims on what is being computed, one purse, recordings to hand on."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.errors import UserError
from levers.ledger import Purse, Replay, export, load, new_owner, scrub
from levers.ledger.owners import LEASE, alive


def elsewhere(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def test_a_key_is_claimed_by_one_until_it_is_released(tmp_path: Path) -> None:
    replay, mine, other = Replay(tmp_path / "kept.db"), new_owner(), new_owner()
    assert replay.claim(["a", "b"], mine) == {"a", "b"}
    assert replay.claim(["b", "c"], other) == {"c"}
    assert replay.claim(["a"], mine) == {"a"}
    replay.release(mine, ["b"])
    assert replay.claim(["a", "b"], other) == {"b"}
    replay.release(mine)
    assert replay.claim(["a"], other) == {"a"}


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from levers.ledger import Replay, new_owner\n"
        "Replay(Path(sys.argv[1])).claim(['a'], new_owner()); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "kept.db"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60).returncode < 0
    assert Replay(path).claim(["a"], new_owner()) == {"a"}


def test_an_owner_lives_while_its_process_does_but_not_for_ever() -> None:
    assert alive(new_owner(), time.time())
    assert not alive(new_owner(), time.time() - LEASE - 1)
    assert alive("another-machine:1:1:1", time.time())


def test_a_process_that_began_at_another_time_is_another() -> None:
    began = new_owner().rpartition(":")
    if not began[2]:
        pytest.skip("the system does not tell when a process began")
    assert alive("".join(began), time.time())
    assert not alive(f"{began[0]}:{int(began[2]) - 1}", time.time())
    assert alive(began[0], time.time())  # as it was written before


def test_who_puts_keeps_its_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay, mine, other = Replay(tmp_path / "kept.db"), new_owner(), new_owner()
    replay.claim(["a", "b"], mine)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 800)
    replay.put({"a": 1}, mine)
    monkeypatch.setattr(time, "time", lambda: now + 1600)
    assert replay.claim(["b"], other) == set()
    monkeypatch.setattr(time, "time", lambda: now + 1800)
    assert replay.claim(["b"], other) == {"b"}


def test_a_purse_is_one_for_all_processes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from levers.ledger import Purse\n"
        "purse = Purse(Path(sys.argv[1])); kept = 0\n"
        "while (ticket := purse.reserve(1.0, 10.0)[0]) is not None: purse.settle(ticket, 1.0); kept += 1\n"
        "print(kept)"
    )
    path = tmp_path / "ledger.sqlite"
    Purse(path).close()
    work = [elsewhere(code, str(path)) for _ in range(2)]
    assert sum(int(each.communicate(timeout=60)[0]) for each in work) == 10
    assert Purse(path).spent == 10.0


def test_what_a_killed_process_had_under_way_counts_as_spent(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from levers.ledger import Purse\n"
        "Purse(Path(sys.argv[1])).reserve(3.0, 10.0); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "ledger.sqlite"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60).returncode < 0
    purse = Purse(path)
    assert purse.reserve(8.0, 10.0) == (None, 0)
    assert purse.reserve(7.0, 10.0)[0] is not None
    assert purse.spent == 3.0


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=20))
def test_a_cap_is_never_exceeded(calls: list[tuple[int, int]]) -> None:
    purse = Purse()
    for bound, used in calls:
        ticket, _ = purse.reserve(float(bound), 100.0)
        if ticket is not None:
            purse.settle(ticket, float(min(bound, used)))
        assert purse.spent <= 100.0


def test_a_recording_goes_from_one_ledger_to_another(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")
    replay.put({f"sha256-{n:032x}": {"text": f"réponse {n}"} for n in range(1200)})
    assert export(replay, tmp_path / "out.jsonl") == 1200
    other = Replay(tmp_path / "other.db")
    other.put({f"sha256-{0:032x}": {"text": "mine"}})
    assert load(other, tmp_path / "out.jsonl") == 1199
    assert len(other) == 1200
    assert other.get([f"sha256-{0:032x}"]) == {f"sha256-{0:032x}": {"text": "mine"}}
    assert dict(other.items()).keys() == dict(replay.items()).keys()


KEYS = [
    "sk-proj-abcdefghijklmnop1234",
    "sk-ant-api03-abcdefghijklmnop_1234",
    "hf_abcdefghijklmnopqrstuvwx",
    "AKIAIOSFODNN7EXAMPLE",
    "Bearer abcdefghijklmnop.qrst",
]


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_scrubbed_wherever_they_stand(key: str, tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")
    replay.put({"sha256-1": {"text": f"it is {key}, keep it", "deep": [{key: 1}]}, "sha256-2": "house-secret-9"})
    export(replay, tmp_path / "out.jsonl", {"LEVERS_API_KEY": "house-secret-9", "HOME": "it is"})
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert key.rsplit(maxsplit=1)[-1] not in text and "house-secret" not in text
    assert "it is" in text and text.count("[key removed]") == 3


def test_words_that_look_like_keys_stay_and_keys_behind_an_escape_go() -> None:
    for text in ("risk-based-authentication", "risk-assessment-2024-report", "the sk-learn-pipeline-of-ours"):
        assert scrub(text) == text
    assert scrub(r'{"a": "\nsk-proj-abcdefghijklmnop1234"}') == r'{"a": "\n[key removed]"}'


def test_a_line_ends_only_where_json_lines_say(tmp_path: Path) -> None:
    replay, other = Replay(tmp_path / "one.db"), Replay(tmp_path / "other.db")
    replay.put({"sha256-1": {"text": "one\u2028two\x85three"}})
    export(replay, tmp_path / "out.jsonl", {})
    assert load(other, tmp_path / "out.jsonl") == 1 and dict(other.items()) == dict(replay.items())


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3)))
def test_what_holds_no_key_stays_as_it_is(value: object) -> None:
    assert scrub(value) == value


def test_lines_that_are_no_recording_are_all_named_and_nothing_is_added(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"key": "sha256-1", "value": 1}\n{"key": 3, "value": 1}\n{oops\n\n[]\n', encoding="utf-8")
    replay = Replay(tmp_path / "kept.db")
    with pytest.raises(UserError) as raised:
        load(replay, path)
    assert [problem.line for problem in raised.value.problems] == [2, 3, 5]
    assert len(replay) == 0
    with pytest.raises(UserError, match="No such file"):
        load(replay, tmp_path / "absent.jsonl")


def test_equal_asks_of_two_threads_are_asked_once(tmp_path: Path) -> None:
    from levers.ledger import Message
    from levers.model import Ask, Replayed, Reply
    from levers.testing import ScriptedModel

    gate = threading.Event()

    def slowly(ask: Ask) -> str:
        gate.wait(30)
        return ask.messages[0].content

    inner = ScriptedModel(slowly)
    asks = [Ask(messages=(Message(role="user", content=text),)) for text in "abc"]
    found: dict[int, list[Reply]] = {}

    def work(number: int) -> None:
        found[number] = Replayed(inner, Replay(tmp_path / "kept.db")).answer(asks[number : number + 2])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for each in threads:
        each.start()
    time.sleep(0.2)
    gate.set()
    for each in threads:
        each.join(60)
    assert [[reply.text for reply in found[number]] for number in range(2)] == [["a", "b"], ["b", "c"]]
    assert len(inner.asked) == 3


def test_an_ask_that_fails_for_another_thread_is_asked_again_here(tmp_path: Path) -> None:
    from levers.ledger import Message
    from levers.model import Ask, Replayed, Reply
    from levers.testing import ScriptedModel

    begun, go = threading.Event(), threading.Event()
    turns = iter(range(2))

    def once_broken(ask: Ask) -> Reply:
        if next(turns) == 0:
            begun.set()
            go.wait(30)
            return Reply(text="", finish="error", error="down")
        return Reply(text="up")

    inner = ScriptedModel(once_broken)
    ask = Ask(messages=(Message(role="user", content="x"),))
    first = threading.Thread(target=Replayed(inner, Replay(tmp_path / "kept.db")).answer, args=([ask],))
    first.start()
    begun.wait(30)
    threading.Timer(0.1, go.set).start()
    assert Replayed(inner, Replay(tmp_path / "kept.db")).answer([ask])[0].text == "up"
    first.join(60)


def test_the_file_is_json_a_line(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")
    replay.put({"sha256-1": {"text": "a\nb"}})
    export(replay, tmp_path / "out.jsonl", os.environ)
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        {"key": "sha256-1", "value": {"text": "a\nb"}}
    ]

"""`levers cost` and `levers advise`: the JSON that scripts rely on, exit codes, and what is refused."""

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from levers.cli import app
from levers.plan.facts import tables

GOLDEN = Path(__file__).with_name("golden")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TERMINAL = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "", "GITHUB_ACTIONS": ""}
COSTS = ("answer", "cache", "training", "index", "tco", "breakeven", "vram", "latency", "scenario", "gates", "facts")


def levers(*arguments: str) -> Result:
    return CliRunner(env=TERMINAL).invoke(app, list(arguments), catch_exceptions=False)


def asked(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = levers(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_an_answer_holds_its_lines_and_their_sources() -> None:
    code, found = asked("cost", "answer", "openai/gpt-4o", "--input", "2k", "--output", "200", "--volume", "10k/day")
    assert code == 0 and found["cost"]["total"]["value"] == 0.007 and found["month"] == 2100
    assert found["cost"]["total"]["provenance"] == "assumed"
    assert found["cost"]["items"][0]["usage"]["input"] == 2000 and "list price" in found["cost"]["total"]["source"]


def test_routed_answers_and_retries() -> None:
    code, found = asked("cost", "answer", "openai/gpt-4o", "--input", "2k", "--output", "200", "--route",
                        "openai/gpt-4o-mini=80%", "--retries", "5%")  # fmt: skip
    assert code == 0 and found["cost"]["total"]["value"] == pytest.approx(1.05 * (0.8 * 0.00042 + 0.2 * 0.007))


def test_what_is_routed_as_a_whole_costs_what_the_other_model_costs() -> None:
    shape = ("--input", "2k", "--output", "200")
    whole = asked("cost", "answer", "openai/gpt-4o", *shape, "--route", "openai/gpt-4o-mini=100%")[1]
    alone = asked("cost", "answer", "openai/gpt-4o-mini", *shape)[1]
    assert whole["cost"]["total"]["value"] == pytest.approx(alone["cost"]["total"]["value"])
    code, found = asked("cost", "answer", "openai/gpt-4o", *shape, "--route", "openai/gpt-4o-mini=33.3%")
    assert code == 0 and found["cost"]["total"]["value"] == pytest.approx(0.333 * 0.00042 + 0.667 * 0.007)


def test_a_cache_says_from_when_it_pays() -> None:
    arguments = ("cost", "cache", "anthropic/claude-sonnet-4", "--prefix", "8k", "--volume")
    code, found = asked(*arguments, "1k/day")
    assert code == 0 and found["pays"] and found["reuses_needed"] == 1
    code, found = asked(*arguments, "20/day")
    assert code == 1 and not found["pays"] and found["hit_rate"] < found["hit_rate_needed"]


def test_ownership_is_the_published_scenarios_corrected() -> None:
    code, found = asked("cost", "tco", "prompting", "retrieval", "tuning", "--volume", "10k/day")
    years = {each["name"]: (each["year_1"], each["year_2"]) for each in found["offers"]}
    assert code == 0 and years["retrieval"][0] == {"low": 75_000, "high": 108_000}
    assert years["tuning"] == ({"low": 44_000, "high": 104_000}, {"low": 24_000, "high": 54_000})
    assert found["notes"][0].startswith("maintenance of tuning is not in these figures")
    assert [note.partition(":")[0] for note in found["notes"][1:]] == [
        "not in the figures of retrieval", "not in the figures of tuning",
    ]  # fmt: skip


def test_break_even_has_a_band_and_what_decides() -> None:
    code, found = asked("cost", "breakeven", "now:per-answer=0.01", "distillation", "--volume", "500k/day")
    assert code == 0 and 4 <= found["band"]["p5"] < found["band"]["p95"] <= 18
    assert found["sensitivity"][0]["name"].startswith("distillation")
    code, found = asked("cost", "breakeven", "prompting", "retrieval", "--volume", "10k/day")
    assert code == 1 and found["breakeven"] is None and found["band"]["never"] == 1


def test_70b_by_qlora_on_24_gb_is_no_and_65b_on_48_gb_yes() -> None:
    code, found = asked("cost", "vram", "70b", "--method", "qlora", "--card", "24GB")
    assert (code, found["fits"]) == (1, False)
    code, found = asked("cost", "vram", "65b", "--method", "qlora", "--card", "48GB")
    assert (code, found["fits"]) == (0, True)
    code, found = asked("cost", "vram", "8b", "--method", "serve", "--bits", "4")
    assert (
        code == 0
        and found["fits"] is None
        and {"KV cache", "weights"} <= {part["name"] for part in found["memory"]["parts"]}
    )


def test_latency_names_the_step_that_breaks_the_target() -> None:
    steps = ("--step", "retrieve=40ms/90ms", "--step", "rerank=200ms/900ms", "--prompt", "4000")
    code, found = asked("cost", "latency", "--target", "1s", *steps)
    assert code == 1 and [row["step"]["name"] for row in found["steps"] if row["breaks"]] == ["rerank"]
    assert found["steps"][-1]["step"]["p95"] == 400
    assert asked("cost", "latency", "--target", "2s", *steps)[0] == 0


def test_scenarios_gates_and_facts() -> None:
    code, found = asked("cost", "scenario", "--list")
    assert code == 0 and len(found["scenarios"]) == 14
    code, found = asked("cost", "scenario", "distillation-spend")
    assert found["agrees"] is False and found["checks"][0]["follows"] == [5000, 5000]
    code, found = asked("cost", "gates", "--have", "300", "--have", "golden set=80")
    met = {each["goal"]: each["met"] for each in found["gates"]}
    assert met["structured output"] and not met["lora"] and met["golden set"]
    assert set(asked("cost", "facts")[1]["tables"]) == set(tables())
    assert len(asked("cost", "facts", "signals")[1]["tables"]["signals"]) == 11


def test_advice_holds_lever_why_not_and_the_experiment() -> None:
    code, found = asked("advise", "--symptoms", "facts", "--corpus", "400k", "--volume", "10k/day", "--p95", "400ms")
    assert code == 0 and found["lever"] == "retrieve" and found["why"]
    assert [each["lever"] for each in found["not"]] == ["tune", "inline"]
    assert found["confirm_with"]["command"] == "levers diagnose" and len(found["scorecard"]["rows"]) == 7
    assert found["conflicts"] and found["costs"][0]["name"] == "as now" and found["timeline"] and found["team"]


def test_advice_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("symptoms: tone\nexamples: 300\n")
    assert asked("advise", "--file", str(path))[1]["lever"] == "examples"
    assert levers("advise", "--file", str(path), "--golden", "3").exit_code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("cost answer openai/gpt-4o --input -5 --hit-rate 2", ["--input", "--hit-rate", "write 0.02 or 2%"]),
        ("cost answer openai/unheard-of --input 5", ["no price", '"openai/unheard-of": {input:']),
        ("cost answer openai/gpt-4o", ["--input"]),
        ("cost answer", ["MODEL"]),
        ("cost answer openai/gpt-4o --input 2k --prefix 3k", ["--prefix"]),
        ("cost answer openai/gpt-4o --input 2k --route openai/gpt-4o-mini", ["MODEL=SHARE"]),
        ("cost answer pocket --input 2k", ["no time", "--seconds"]),
        ("cost answer openai/gpt-4o --input 2k", ["--output", "0 for a model that writes nothing"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --prefix 1500", ["no hit rate", "--volume"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --hit-rate 5%", ["--prefix", "leave --hit-rate out"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --tool-tokens 5 --question 5 --seconds 3s --embed-seconds 1s",
         ["--tool-tokens", "--question", "--embed-seconds", "changes nothing", "--seconds", "paid by the token"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --embed openai/text-embedding-3-small --embed-seconds 1s",
         ["--embed-seconds", "paid by the token"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --embed minilm --embed-seconds 1s --seconds 1s",
         ["--seconds", "paid by the token"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --route openai/gpt-4o-mini=80% --route pocket=50%",
         ["shares of 1.3", "1 at the most"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --lifetime 1h", ["--lifetime", "no --prefix"]),
        ("cost answer openai/gpt-4o --input 2k --output 9 --prefix 1500 --hit-rate 9% --lifetime 1h",
         ["it changes nothing for openai/gpt-4o"]),
        ("cost answer openai/x --input 2k --embed y/z", ['"openai/x": {input:', '"y/z": {input:']),
        ("cost cache openai/gpt-4o --prefix 500", ["1,024 tokens or more"]),
        ("cost cache anthropic/claude-sonnet-4 --prefix 5k --lifetime 2h", ["5m or 1h"]),
        ("cost cache --prefix 5k", ["MODEL", "--project"]),
        ("cost training openai/gpt-4o --examples 0 --tokens 5", ["--examples"]),
        ("cost training openai/gpt-4o --examples 5 --tokens 5 --hours 4", ["--hours", "paid by the token"]),
        ("cost training openai/gpt-4o-mini --examples 5 --tokens 5", ["training", "add it in prices.yaml"]),
        ("cost training gpu/h100 --examples 5 --tokens 5", ["--hours", "paid by the hour"]),
        ("cost index --corpus 5k --embed minilm", ["--seconds"]),
        ("cost index --corpus 5k --seconds 5s", ["--seconds", "paid by the hour"]),
        ("cost index --corpus 5k --store openai/gpt-4o", ["openai/gpt-4o.storage", "USD per GB and month"]),
        ("cost gates --have loar=5 --have x", ["did you mean lora?", "a number"]),
        ("cost tco own:per-answer=1 --volume 1/day --changes weekly --week 9", ["own of no kind", "cycle=…,cycles=…"]),
        ("cost tco own:per-answer=1,kind=magic --volume 1/day", ["kind is one of"]),
        ("cost tco tuning --volume 1/day --week 4000", ["--week", "--changes quarterly"]),
        ("cost vram 7b --method serve --rank 8 --precision mixed --overhead 2GB",
         ["--rank", "--precision", "it changes nothing here", "--overhead", "--card 24GB"]),
        ("cost vram 7b --bits 4", ["--bits", "--method serve"]),
        ("cost cache openai/gpt-4o --prefix 5k --lifetime 5", ["--lifetime", "write 5m"]),
        ("cost cache pocket --prefix 5k", ["paid by the token"]),
        ("cost tco retrieval --volume -5/day", ["--volume", "never negative"]),
        ("cost tco retrieval --volume 10000", ["write 10000/day"]),
        ("cost tco retreival --volume 1/day", ["did you mean retrieval?"]),
        ("cost tco a:per-answer=1e308 --volume 1e9/day", ["too large"]),
        ("cost tco @3 --volume 1/day", ["@3", "--project"]),
        ("cost tco tuning --volume 1/day --changes quarterly", ["--week", "no source gives one"]),
        ("cost breakeven prompting tuning", ["--volume"]),
        ("cost vram 70b --card 24", ["--card", "write 24GB"]),
        ("cost vram 71b --rank 0", ["MODEL: found", "one of", "8b, 13b, 65b, 70b"]),
        ("cost vram 7b --method lore --batch 0 --bits 5", ["--method", "--batch", "--bits"]),
        ("cost vram 7b --method lora --precision mixed", ["mixed precision is for full tuning"]),
        ("cost latency --target 800", ["--target", "write 800ms"]),
        ("cost latency --target 1s", ["--step"]),
        ("cost latency --target 1s --step a=5ms", ["p50 and p95"]),
        ("cost latency --target 1s --step a=5ms/6ms --step a=7ms/8ms", ["--step", "2 of 'a'"]),
        ("cost latency --target 1s --step =5ms/6ms", ["--step", "name=p50/p95"]),
        ("cost scenario free-lunch", ["prompt-wall"]),
        ("cost scenario prompt-wall --list", ["--list", "'prompt-wall' beside it"]),
        ("cost tco x:per-answer=0.01,per-answer=0.02 --volume 1/day", ["OFFER x", "two of per-answer"]),
        ("cost gates --have 5 --have lora=5 --have lora=6 --have 7", ["two of lora", "two of all goals"]),
        ("advise --symptoms facts --weights latency=2,latency=0", ["--weights", "two of latency"]),
        ("cost facts gossip", ["one of"]),
        ("advise --symptoms fact --volume 5 --weights latency=x",
         ["--symptoms", "--volume", "--weights", "did you mean facts?"]),
        ("advise --golden 5", ["symptoms: found nothing"]),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_hint(words: str, says: list[str]) -> None:
    result = levers(*words.split())
    assert result.exit_code == 2 and result.stdout == ""
    for each in says:
        assert each in result.stderr
    in_json = levers(*words.split(), "--json")
    assert in_json.exit_code == 2 and json.loads(in_json.stdout)["problems"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("advise --symptoms cost --volume 1e308/day", ["--volume"]),
        ("advise --symptoms cost --volume 1e-320/day", ["--volume"]),
        ("advise --symptoms cost --volume 1/day --prompt 1e308 --output 1e308 --seconds 1e308s --weights latency=1e308",
         ["--prompt", "--output", "--seconds", "--weights"]),
        ("cost answer openai/gpt-4o --input 1 --output 1e308 --tools 20000", ["--output", "--tools"]),
        ("cost vram 8b --batch 1e300 --tokens 1e308", ["--batch", "--tokens"]),
        ("cost vram 8b --rank 1e308", ["--rank"]),
        ("cost index --corpus 1e308 --dimensions 1e308 --documents-change 1e308/day",
         ["--corpus", "--dimensions", "--documents-change"]),
        ("cost training gpu/h100 --examples 5 --tokens 5 --epochs 1e308 --hours 1e308", ["--epochs", "--hours"]),
        ("cost latency --target 1e308s --step a=1e305s/1e305s --step b=1e305s/1e305s", ["--target", "--step"]),
        ("cost breakeven prompting tuning --volume 1e-300/day", ["--volume"]),
        ("cost breakeven x:per-answer=1e308 tuning --volume 1/day", ["x: per answer"]),
        ("cost tco tuning --volume 1/day --changes 1e308/day --week 1e308", ["--changes", "--week"]),
    ],
)  # fmt: skip
def test_figures_that_no_case_has_are_refused_by_name(words: str, names: list[str]) -> None:
    test_bad_input_is_refused_with_a_hint(words, names)


@pytest.mark.parametrize(
    "words", ["cost tco tuning --volume 5..1e308/day", "cost latency --target 1s --step a=1s/1e308s"]
)
def test_an_end_that_is_refused_is_not_called_the_lower_one(words: str) -> None:
    code, found = asked(*words.split())
    assert code == 2 and ["1e+15" in each["expected"] for each in found["problems"]] == [True]


@pytest.mark.parametrize(
    "words",
    [
        "advise --symptoms cost,tools --volume 1e15/day --prompt 1e15 --output 1e15 --requirements-change 1e15/year "
        "--week 1e15 --corpus 1e15 --p95 1e12s --weights latency=1e15",
        "advise --symptoms cost,tools --volume 1e-15/day --prompt 1 --output 0",
        "cost answer openai/gpt-4o --input 1e15 --output 1e15 --tools 9 --retries 1e-15 --volume 1e15/day",
        "cost vram 70b --batch 1e15 --tokens 1e15 --rank 1e15",
        "cost index --corpus 1e15 --dimensions 1e15 --passage 1 --documents-change 1e15/year",
        "cost training gpu/h100 --examples 1e15 --tokens 1e15 --epochs 1e15 --hours 1e15",
        "cost latency --target 1e12s --step a=1e12s/1e12s --step b=0ms/1e12s",
        "cost breakeven a:per-answer=1e15,setup=0 b:per-answer=1e-15,setup=1e15 --volume 1e-15/day",
        "cost breakeven a:per-answer=2e-15 b:per-answer=1e-15,setup=1e15 --volume 1e-15/day",
        "cost tco a:per-answer=1e15,cycle=1e15,cycles=1e15,kind=tuning --volume 1e15/day",
    ],
)
def test_the_largest_and_smallest_figures_are_reckoned_with(words: str) -> None:
    code, found = asked(*words.split())
    assert code in {0, 1} and found and "Infinity" not in json.dumps(found)
    assert levers(*words.split()).exit_code == code


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    result = levers("cost", "tco", "A[/x]:per-answer=0.01", "--volume", "10/day")
    assert result.exit_code == 0 and "A[/x]" in result.stdout


@pytest.mark.parametrize("name", COSTS)
def test_every_table_reads_in_a_terminal(name: str) -> None:
    given = {
        "answer": "openai/gpt-4o --input 2k --output 200 --prefix 1500 --hit-rate 90% --volume 10k/day",
        "cache": "openai/gpt-4o --prefix 2k --hit-rate 0.5",
        "tco": "prompting retrieval --volume 5k..10k/day",
        "breakeven": "prompting tuning --volume 10k/day",
        "vram": "7b --card 80GB",
        "latency": "--target 5s --prompt 4000",
        "scenario": "support-tuning",
        "training": "openai/gpt-4o --examples 1k --tokens 400",
        "index": "--corpus 400k --documents-change weekly --changed 5%",
    }.get(name, "")
    result = levers("cost", name, *given.split())
    assert result.exit_code in {0, 1} and len(result.stdout.splitlines()) > 3
    assert "Traceback" not in result.output and "None" not in result.stdout


@pytest.mark.parametrize("name", COSTS)
def test_help_changes_only_on_purpose(name: str) -> None:
    result = levers("cost", name, "--help")
    found = "\n".join(line.rstrip() for line in ANSI.sub("", result.stdout).strip().splitlines()) + "\n"
    path = GOLDEN / f"cost-{name}.txt"
    if os.environ.get("LEVERS_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), "if it is meant: LEVERS_GOLDEN=1 make test"


def test_an_hour_in_anthropics_cache_is_written_at_twice_the_price() -> None:
    arguments = ("cost", "cache", "anthropic/claude-sonnet-4", "--prefix", "8k", "--hit-rate", "50%", "--lifetime")
    short, long = asked(*arguments, "5m")[1], asked(*arguments, "1h")[1]
    assert (short["write"], long["write"]) == (0.03, 0.048) and (short["reuses_needed"], long["reuses_needed"]) == (
        1,
        2,
    )
    assert long["lifetime_source"] == "given by you" and "for an hour" in long["sources"][-1]
    answer = ("cost", "answer", "anthropic/claude-sonnet-4", "--input", "8k", "--output", "0", "--prefix", "8k",
              "--hit-rate", "0", "--lifetime", "1h")  # fmt: skip
    assert asked(*answer)[1]["cost"]["total"]["value"] == 0.048


def test_traffic_gives_the_hit_rate_of_every_routed_share() -> None:
    code, found = asked("cost", "answer", "openai/gpt-4o", "--input", "5k", "--output", "20", "--prefix", "4k",
                        "--volume", "288/day", "--route", "openai/gpt-4o-mini=50%")  # fmt: skip
    # 144 answers a day each are one in 600 s, and a prefix lives 300 s: 1 - exp(-0.5) of them find it
    hits = [each["per_answer"] for each in found["cost"]["items"] if "prefix cached" in each["name"]]
    assert code == 0 and hits == pytest.approx([0.5 * (1 - math.exp(-0.5))] * 2)
    assert len(found["notes"]) == 2 and "39.3%" in found["notes"][0]


def test_maintenance_follows_the_kind_of_a_stack_of_your_own() -> None:
    mine = "mine:per-answer=0.01,kind=full tuning"
    code, found = asked("cost", "tco", mine, "--volume", "1k/day", "--changes", "yearly", "--week", "1200")
    upkeep = [line for line in found["offers"][0]["lines"] if line["kind"] == "upkeep"]
    assert code == 0 and (upkeep[0]["low"], upkeep[0]["high"]) == (400, 800)  # 4 to 8 weeks a year, by the month
    code, found = asked("cost", "tco", "mine:per-answer=0.01,cycle=600,cycles=2", "--volume", "1k/day")
    assert not any("maintenance" in note for note in found["notes"])


def test_a_tuning_run_and_an_index() -> None:
    code, found = asked("cost", "training", "openai/gpt-4o", "--examples", "1k", "--tokens", "400")
    assert code == 0 and found["run"]["compute"]["value"] == 30 and found["run"]["curation"]["high"] == 150
    code, found = asked("cost", "index", "--corpus", "6M", "--documents-change", "monthly", "--changed", "50%")
    assert code == 0 and found["cost"]["once"]["value"] == 0.12 and found["cost"]["per_month"]["value"] == 0.06


def test_advice_takes_your_prices(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text('"mine/x": {input: 1.00, output: 4.00}\n')
    words = ("advise", "--symptoms", "tone", "--model", "mine/x", "--volume", "10k/day")
    assert levers(*words).exit_code == 2
    assert asked(*words, "--prices", str(prices))[1]["costs"][0]["month"]["low"] == pytest.approx(840)


def test_one_model_costs_the_same_over_both_protocols() -> None:
    for words in (
        "answer {} --input 1000 --output 100",
        "answer pocket --input 9 --seconds 1s --output 9 --route {}=50%",
        "cache {} --prefix 5k --hit-rate 50% --lifetime 5m",
        "training {} --examples 100 --tokens 100",
    ):
        found = [asked("cost", *words.format(model).split()) for model in ("openai/gpt-4o", "openai-responses/gpt-4o")]
        assert found[0] == found[1] and found[0][0] == 0


def test_full_tuning_is_in_mixed_precision_unless_said() -> None:
    full, mixed, half = (
        asked("cost", "vram", "7b", "--method", "full", *more)[1]["memory"]["peak"]
        for more in ((), ("--precision", "mixed"), ("--precision", "bfloat16"))
    )
    assert full == mixed > 1.5 * half

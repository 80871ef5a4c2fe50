"""Tuning behind an API: export the examples in each provider's format, estimate, start, watch, cancel, fetch.

OpenAI, Together and whatever speaks OpenAI's fine-tuning endpoints, through OpenAI's own SDK; for Fireworks the export
and its tool's commands. Keys come from the environment: a provider's own key goes to its own address only, another
server (`base_url`) gets LEVERS_API_KEY. Loads nothing heavy until a server is called.
"""

import itertools
import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from levers.errors import MissingExtra, ModelError, Problem, UserError
from levers.ledger import Message, Record, write_atomic
from levers.tuning.records import Sample
from levers.tuning.started import Claim, Started, digests, look_first

Provider = Literal["openai", "together", "fireworks"]
State = Literal["waiting", "running", "done", "failed", "cancelled"]
CHARACTERS_PER_TOKEN = 4  # English, roughly; the provider counts anew
TIMEOUT = 60.0  # seconds for one call


class Place(Record):
    """A provider: address, the key's name in the environment, the fewest examples it takes, a word of advice."""

    url: str
    key: str
    least: int
    note: str


# As their own guides say (read 2026-11): OpenAI takes 10 examples or more, Fireworks 3; Together names no minimum.
PLACES: dict[Provider, Place] = {
    "openai": Place(
        url="https://api.openai.com/v1",
        key="OPENAI_API_KEY",
        least=10,
        note="a tuned model goes with its base",
    ),
    "together": Place(
        url="https://api.together.xyz/v1",
        key="TOGETHER_API_KEY",
        least=1,
        note="LoRA unless said otherwise; the adapter can be downloaded",
    ),
    "fireworks": Place(
        url="https://api.fireworks.ai/v1",
        key="FIREWORKS_API_KEY",
        least=3,
        note="LoRA; started with its own tool, firectl",
    ),
}
_STATES: dict[str, State] = {
    "validating_files": "waiting",
    "queued": "waiting",
    "pending": "waiting",
    "running": "running",
    "compressing": "running",
    "uploading": "running",
    "succeeded": "done",
    "completed": "done",
    "failed": "failed",
    "error": "failed",
    "user_error": "failed",
    "cancelled": "cancelled",
    "cancel_requested": "cancelled",
}


class Job(Record):
    """A hosted tuning: its id, how far it is, and the tuned model's name once it is done."""

    provider: Provider
    id: str
    model: str
    state: State
    said: str = Field(description="the provider's own word for the state")
    tuned: str | None = None
    trained_tokens: int | None = None
    error: str | None = None
    events: tuple[str, ...] = ()


def export(samples: Sequence[Sample], provider: Provider, path: Path) -> int:
    """Write samples as the provider's JSON Lines and return how many.

    All three take `{"messages": [{"role", "content"}, …]}`; the loss is on the assistant's turns. There may be one
    system turn, and it must be the first: system turns that follow it are joined to it.

    Raises:
        UserError: there are fewer samples than the provider takes, or a system turn stands after another's turn.
    """
    place = PLACES[provider]
    problems = late_system(samples, path.name)
    if len(samples) < place.least:
        found = f"{len(samples)} examples"
        problems.append(Problem(file=path.name, found=found, expected=f"at least {place.least} for {provider}"))
    if problems:
        raise UserError(problems)
    lines = []
    for each in samples:
        turns = [{"role": turn.role, "content": turn.content} for turn in _one_system(each.messages)]
        turns.append({"role": "assistant", "content": each.answer})
        lines.append(json.dumps({"messages": turns}, ensure_ascii=False))
    write_atomic(path, "\n".join(lines) + "\n")
    return len(lines)


def late_system(samples: Sequence[Sample], file: str) -> list[Problem]:
    """Name the samples with a system turn after another's turn, by their lines in `file`: no provider takes it."""
    hint = "take the system turn out of the example, or choose a stack that shows no examples before it"
    return [
        Problem(
            file=file,
            line=each.line or at,
            found="a system turn after a user's or an answer",
            expected="system turns first",
            hint=hint,
        )
        for at, each in enumerate(samples, 1)
        if any(turn.role == "system" for turn in _one_system(each.messages)[1:])
    ]


def _one_system(messages: Sequence[Message]) -> list[Message]:
    """Join the system turns at the front to one."""
    front = list(itertools.takewhile(lambda turn: turn.role == "system", messages))
    text = "\n\n".join(turn.content for turn in front)
    return [*([Message(role="system", content=text)] if front else []), *messages[len(front) :]]


def count_tokens(samples: Sequence[Sample]) -> int:
    """Estimate the tokens of one epoch, at four characters each; the provider counts anew and bills by its count."""
    characters = sum(len(turn.content) for each in samples for turn in each.messages)
    return (characters + sum(len(each.answer) for each in samples)) // CHARACTERS_PER_TOKEN


def firectl(model: str, file: Path, name: str, epochs: int) -> tuple[str, ...]:
    """Return the commands that start an exported tuning at Fireworks."""
    job = f"firectl supervised-fine-tuning-job create --base-model {model} --dataset {name}"
    return (f"firectl dataset create {name} {file.name}", f"{job} --output-model {name} --epochs {epochs}")


class HostedTuning:
    """One provider's tuning endpoints."""

    def __init__(self, provider: Provider, base_url: str | None = None) -> None:
        """Open a client; nothing is sent.

        Raises:
            UserError: the provider has no endpoints that this speaks.
            ModelError: no key is set.
            MissingExtra: the openai SDK is not installed.
        """
        if provider == "fireworks":
            hint = "export the file and start it with the commands that are printed"
            raise UserError(Problem(file="--provider", found="fireworks", expected="openai or together", hint=hint))
        try:
            from openai import OpenAI
        except ImportError as error:
            raise MissingExtra("openai", "openai") from error
        self.provider, place = provider, PLACES[provider]
        key = os.environ.get("LEVERS_API_KEY" if base_url else place.key, "")
        if not key and not base_url:
            raise ModelError(f"no key for {place.url}", f"set {place.key}")
        self._client: Any = OpenAI(
            api_key=key or "none", base_url=base_url or place.url, timeout=TIMEOUT, max_retries=2
        )
        if base_url or provider != "openai":  # the SDK reads them from the environment; they are OpenAI's business only
            self._client.organization = self._client.project = None

    def start(
        self, file: Path, model: str, epochs: int, suffix: str, held_out: Path | None = None, again: bool = False
    ) -> Job:
        """Upload an exported file and create the job, which is written down beside it before and after.

        Raises:
            UserError: these files were started before, and `again` is not asked for.
            ModelError: the server refused or could not be reached; it says where a job may have been made.
            KeyboardInterrupt: with words where a job may have been made.
        """
        files = digests([file, *([held_out] if held_out else [])])
        with _told(self.provider):
            given = {"model": model, "suffix": suffix, "training_file": self._upload(file)}
            given |= {"validation_file": self._upload(held_out)} if held_out else {}
        asked = Started(provider=self.provider, model=model, suffix=suffix, files=files)
        claim = Claim(file.parent, asked, again)
        unsure, hint = "a job may have been made", f"{look_first(self.provider)}; --again starts another"
        try:
            with _told(self.provider):
                job = self._job(self._create(given, epochs))
            claim.made(job.id)
        except _Refused:
            claim.withdraw()
            raise
        except ModelError as error:
            raise ModelError(f"{Exception.__str__(error)}; {unsure}", hint) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{self.provider}'s reply names no job; {unsure}", hint) from error
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{unsure}: {hint}") from None
        return job

    def _create(self, given: dict[str, Any], epochs: int) -> Any:
        if self.provider == "openai":
            settings = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
            return self._once().fine_tuning.jobs.create(**given, method=settings).model_dump()
        body = {**given, "n_epochs": epochs, "training_type": {"type": "Lora"}}
        return self._once().post("/fine-tunes", body=body, cast_to=object)

    def _once(self) -> Any:
        """Return the client for a call that is paid for: sent again after a lost reply, it would make a second job."""
        return self._client.with_options(max_retries=0)

    def look(self, id: str) -> Job:
        """Return how far a job is, with its latest events. Raises ModelError when the server refuses."""
        with _told(self.provider):
            if self.provider == "openai":
                found = self._client.fine_tuning.jobs.retrieve(id).model_dump()
                events = self._client.fine_tuning.jobs.list_events(id, limit=10).data
                said = [event.message for event in reversed(events)]
            else:
                found = self._client.get(f"/fine-tunes/{id}", cast_to=object)
                said = [str(event.get("message", "")) for event in found.get("events") or []][-10:]
            return self._job(found).model_copy(update={"events": tuple(said)})

    def retires(self, model: str) -> date | None:
        """Return when the server says that a model goes; None where it does not tell. Raises ModelError offline."""
        from openai import APIStatusError

        with _told(self.provider):
            try:
                found = self._client.models.retrieve(model).model_dump().get("shutdown_date")
            except APIStatusError:
                return None
        try:
            return date.fromisoformat(str(found))
        except ValueError:
            return None

    def fetch(self, id: str, folder: Path) -> tuple[Path, ...]:
        """Write what a finished job gives out: OpenAI the figures of its training, Together the adapter's archive.

        Raises:
            ModelError: the server refused, or the job gives nothing out yet.
        """
        with _told(self.provider):
            if self.provider == "openai":
                named = self._client.fine_tuning.jobs.retrieve(id).result_files
                found = {f"{name}.csv": self._client.files.content(name).read() for name in named}
            else:
                from openai import HttpxBinaryResponseContent

                path = f"/finetune/download?ft_id={id}&checkpoint=adapter"
                found = {f"{id}.tar.zst": self._client.get(path, cast_to=HttpxBinaryResponseContent).read()}
        if not found:
            raise ModelError(f"{self.provider}: {id} gives nothing out yet", "look whether it is done")
        for name, content in found.items():
            write_atomic(folder / name, content)
        return tuple(folder / name for name in found)

    def cancel(self, id: str) -> Job:
        """Stop a job. Raises ModelError when the server refuses."""
        with _told(self.provider):
            if self.provider == "openai":
                return self._job(self._client.fine_tuning.jobs.cancel(id).model_dump())
            return self._job(self._client.post(f"/fine-tunes/{id}/cancel", cast_to=object))

    def _upload(self, file: Path) -> str:
        with file.open("rb") as opened:
            return str(self._client.files.create(file=(file.name, opened), purpose="fine-tune").id)

    def _job(self, found: dict[str, Any]) -> Job:
        said = str(found.get("status", ""))
        fault = found.get("error") or {}
        message = fault.get("message") if isinstance(fault, dict) else str(fault)
        return Job(
            provider=self.provider,
            id=str(found["id"]),
            model=str(found.get("model", "")),
            state=_STATES.get(said, "running"),
            said=said,
            tuned=found.get("fine_tuned_model") or found.get("output_name") or found.get("model_output_name"),
            trained_tokens=found.get("trained_tokens") or found.get("token_count"),
            error=message or None,
        )


class _Refused(ModelError):
    """The server answered that it will not, so nothing was made."""


class _told:
    """Turn the SDK's errors into ours, without key or address of files in them."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: object) -> None:
        from openai import APIConnectionError, APIStatusError

        if isinstance(error, APIStatusError) and error.status_code in {401, 403}:  # servers repeat the key in these
            hint = f"set {PLACES[self._provider].key}, or LEVERS_API_KEY where base_url is set, to a key that may tune"
            raise _Refused(f"{self._provider} refused the key ({error.status_code})", hint) from error
        if isinstance(error, APIStatusError):
            body = error.body if isinstance(error.body, dict) else {}
            reason = str(body.get("message") or error.message)[:300]
            unsure = error.status_code >= 500 or error.status_code == 408  # what failed or came late may be done
            kind = ModelError if unsure else _Refused
            raise kind(f"{self._provider}: status {error.status_code}: {reason}") from error
        if isinstance(error, APIConnectionError):
            raise ModelError(f"{self._provider} could not be reached", "check the address and the network") from error

"""What a model's work asks of the machine."""

import pytest

from levers.model import machine


def test_the_faster_precision_is_what_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for half, single, faster in ((0.1, 0.2, True), (0.2, 0.1, False)):
        machine.bfloat16_is_faster.cache_clear()
        seconds = {machine.torch.bfloat16: half, machine.torch.float32: single}
        monkeypatch.setattr(machine, "_product_seconds", seconds.__getitem__)
        assert machine.bfloat16_is_faster() is faster
    machine.bfloat16_is_faster.cache_clear()


def test_keeping_memory_is_harmless_where_the_library_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    machine.keep_memory()
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: object())
    machine.keep_memory()

"""Loading weights without the libraries' progress bars and notices to each other. Imports transformers."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers.utils import logging as transformers_logging


@contextmanager
def quietly() -> Iterator[None]:
    """Silence progress bars and FutureWarnings (peft calling transformers) inside; leave the settings as they were."""
    switch: Any = transformers_logging
    shown = switch.is_progress_bar_enabled()
    switch.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if shown:
            switch.enable_progress_bar()

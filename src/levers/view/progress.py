"""Progress of long work on stderr: bars with the time left in a terminal, now and then a plain line elsewhere."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from levers.view.words import duration, plain

QUIET_SECONDS = 10.0
QUICK_SECONDS = 0.5  # shown as 0 s
FOLDED = 3  # so many quick pieces in a row are one line


class Progress:
    """A callback (what, done, total) that shows work as it goes; use it in a `with`, or `close` it at the end.

    In a terminal every piece of work has a bar until it is done, then one line. Elsewhere each piece of work has a line
    at its end, and one every ten seconds while it lasts. Several pieces in a row that took no time, as all of a
    replayed run do, are one line together. Safe to call from several threads.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Show on this console, by default stderr; the clock counts seconds."""
        self.console = console or Console(stderr=True)
        self._clock = clock
        self._lock = threading.RLock()
        self._started: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._quick: list[str] = []  # lines of work that took no time, not shown yet
        self._bars: Bars | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Hear that `done` of `total` pieces of this work are done."""
        with self._lock:
            now = self._clock()
            started = self._started.setdefault(what, now)
            if self.console.is_terminal:
                self._draw(what, done, total)
            elif done < total and now - self._said.setdefault(what, now) >= QUIET_SECONDS:
                self._said[what] = now
                left = f", about {duration((now - started) / done * (total - done))} left" if done else ""
                self._say(f"{what}: {done} of {total}{left}")
            if done >= total:
                self._finish(what, total, now - started)

    def __enter__(self) -> "Progress":
        """Start showing."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop showing, whatever happened."""
        self.close()

    def close(self) -> None:
        """Take the bars off the screen and forget unfinished work."""
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
            self._bars = None
            self._flush()
            self._tasks.clear()
            self._started.clear()
            self._said.clear()

    def _draw(self, what: str, done: int, total: int) -> None:
        if self._bars is None:
            name = TextColumn("{task.description}", markup=False)
            columns = (name, BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
            self._bars = Bars(*columns, console=self.console, transient=True)
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(plain(what), total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)

    def _finish(self, what: str, total: int, seconds: float) -> None:
        self._started.pop(what, None)
        self._said.pop(what, None)
        task = self._tasks.pop(what, None)
        if self._bars is not None and task is not None:
            self._bars.remove_task(task)
        line = f"{what}: {total} done in {duration(seconds)}"
        if seconds < QUICK_SECONDS:
            self._quick.append(line)
        else:
            self._say(line)
        if self._bars is not None and not self._tasks:
            self._bars.stop()
            self._bars = None

    def say(self, line: Text) -> None:
        """Print a line of the caller's after all work that is done by now."""
        with self._lock:
            self._flush()
            self.console.print(line)

    def _flush(self) -> None:
        """Show work that took no time: a few lines as they are, more of them as one."""
        held, self._quick = self._quick, []
        if len(held) >= FOLDED:
            held = [f"{len(held)} pieces of work done in 0 s: replayed from the ledger, or small"]
        for line in held:
            self.console.print(Text(plain(line), style="dim"), soft_wrap=True)

    def _say(self, line: str) -> None:
        self._flush()
        self.console.print(Text(plain(line), style="dim"), soft_wrap=True)

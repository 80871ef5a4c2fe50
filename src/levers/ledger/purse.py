"""What has been spent under a cap, and what calls under way may yet cost; shared by all processes of a project."""

import time
from pathlib import Path

from levers.ledger.owners import alive, new_owner
from levers.ledger.store import Store


class Purse:
    """Money in USD: spent, and reserved by calls under way at the most that each can cost.

    A reservation whose process died counts as spent: its call may have been billed, and nobody can tell.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Keep the figures in the ledger's file, or in memory for this process alone."""
        self._store = Store(path)
        with self._store.writing() as database:
            database.execute("CREATE TABLE IF NOT EXISTS spent (id INTEGER PRIMARY KEY, usd REAL NOT NULL)")
            database.execute("INSERT OR IGNORE INTO spent VALUES (0, 0.0)")
            database.execute(
                "CREATE TABLE IF NOT EXISTS reserved (ticket INTEGER PRIMARY KEY, usd REAL, owner TEXT, since REAL)"
            )

    @property
    def spent(self) -> float:
        """USD spent so far, calls under way not counted."""
        with self._store.reading() as database:
            return float(database.execute("SELECT usd FROM spent").fetchone()[0])

    def reserve(self, usd: float, cap: float) -> tuple[int | None, float]:
        """Reserve so much if it stays within the cap together with all else; return the ticket and what is under way.

        The ticket is None where it does not fit.
        """
        with self._store.writing() as database:
            rows = database.execute("SELECT ticket, usd, owner, since FROM reserved").fetchall()
            for ticket, amount, owner, since in rows:
                if not alive(owner, since):
                    database.execute("UPDATE spent SET usd = usd + ?", (amount,))
                    database.execute("DELETE FROM reserved WHERE ticket = ?", (ticket,))
            under_way = sum(amount for _, amount, owner, since in rows if alive(owner, since))
            spent = database.execute("SELECT usd FROM spent").fetchone()[0]
            if spent + under_way + usd > cap:
                return None, under_way
            row = database.execute(
                "INSERT INTO reserved (usd, owner, since) VALUES (?, ?, ?)", (usd, new_owner(), time.time())
            )
            return row.lastrowid, under_way

    def settle(self, ticket: int, usd: float) -> None:
        """Replace a reservation by what the call really cost."""
        with self._store.writing() as database:
            database.execute("DELETE FROM reserved WHERE ticket = ?", (ticket,))
            database.execute("UPDATE spent SET usd = usd + ?", (usd,))

    def close(self) -> None:
        """Close the ledger's file."""
        self._store.close()

"""Build the product table of the `support` example from `products.csv`.

python recipes/support/build_tables.py
"""

import csv
import os
import sqlite3
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "src" / "levers" / "examples" / "support" / "tables.db"

SCHEMA = """
CREATE TABLE products (
    sku TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    price_eur REAL NOT NULL,
    stock INTEGER NOT NULL,
    weight_g INTEGER NOT NULL
)
"""


def build(source: Path, target: Path) -> int:
    """Write every row of the CSV file `source` into a fresh SQLite file `target`; return the number of rows."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = [
            (r["sku"], r["name"], r["category"], float(r["price_eur"]), int(r["stock"]), int(r["weight_g"]))
            for r in csv.DictReader(file)
        ]
    fresh = target.with_suffix(".db.new")
    fresh.unlink(missing_ok=True)
    connection = sqlite3.connect(fresh)
    with connection:
        connection.execute(SCHEMA)
        connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    os.replace(fresh, target)  # a reader sees the old table or the new one, never half of it
    return len(rows)


if __name__ == "__main__":
    build(HERE / "products.csv", TARGET)

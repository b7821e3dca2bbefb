"""Tables with named, explained columns, as CSV and JSON."""

import csv
import dataclasses
import io
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from rlvision_jax._checks import quoted

Value: TypeAlias = str | int | float | bool | None
"""What a cell of a table holds; None where there is nothing to say."""


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
      name: of the column, in snake case.
      meaning: one phrase.
      unit: such as "share of levels" or "steps"; empty for names and counts.
    """

    name: str
    meaning: str
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Attributes:
      columns: at least one, with different names.
      rows: each has a value for every column.

    Raises:
      ValueError: if a name occurs twice, a row has other columns, or a number is not finite.

    Example:
      >>> table = Table((Column("cause", "why"), Column("levels", "how many")),
      ...               ({"cause": "saw", "levels": 3},))
      >>> print(table.to_csv(), end="")
      cause,levels
      saw,3
      >>> table.column("levels")
      [3]
    """

    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Value], ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a table needs columns with different names; got {quoted(names)}")
        for index, row in enumerate(self.rows):
            if set(row) != set(names):
                raise ValueError(
                    f"row {index} must have the columns {quoted(names)}; got {quoted(list(row))}"
                )
            for name, value in row.items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise ValueError(
                        f'row {index} has {value} in column "{name}"; expected a finite number, '
                        "or None"
                    )

    def column(self, name: str) -> list[Value]:
        """The values of one column, from top to bottom."""
        return [row[name] for row in self.rows]

    def to_csv(self) -> str:
        """A line of names, then one line for each row; None is empty."""
        text = io.StringIO()
        names = [column.name for column in self.columns]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Columns with meaning and unit, and rows in the order of the columns, as JSON values."""
        names = [column.name for column in self.columns]
        return {
            "columns": [dataclasses.asdict(column) for column in self.columns],
            "rows": [{name: row[name] for name in names} for row in self.rows],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Table":
        """The table of which `to_json` made this."""
        columns = tuple(Column(**column) for column in content["columns"])
        return cls(columns, tuple(content["rows"]))

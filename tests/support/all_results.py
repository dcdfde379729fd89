"""All that a run says, to be compared to the last bit."""

from typing import Any

from farmsim.analysis.run.result import Result


def all_results(result: Result) -> dict[str, Any]:
    """Return summary and tables by name; floats as text, by which every bit counts, also of NaN."""
    tables = {
        f"{name}.{column}": repr(table[column].to_pylist())
        for name, table in result.tables.items()
        for column in table.column_names
    }
    return tables | {"summary": repr(result.summary)}

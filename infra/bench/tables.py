"""Tables as Markdown that also reads well on a terminal."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Columns as wide as their widest cell, the first `texts` to the left, the others to the right."""
    widths = [max(3, *(len(row[column]) for row in [head, *rows])) for column in range(len(head))]
    rules = ["-" * (width + 2) if column < texts else "-" * (width + 1) + ":" for column, width in enumerate(widths)]
    lines = [_line(head, widths, texts), f"|{'|'.join(rules)}|", *(_line(row, widths, texts) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int], texts: int) -> str:
    padded = [
        cell.ljust(width) if column < texts else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"

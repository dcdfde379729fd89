"""What all pages of the reference have in common."""

MARK = "<!-- Written by docs/build.py from the code; change the code, not this page. -->"


def prose(documentation: str | None) -> str:
    """Return a docstring as Markdown."""
    lines = [line.removeprefix("    ") for line in (documentation or "").strip().splitlines()]
    return "\n".join(lines).replace("``", "`")


def page(title: str, *parts: str) -> str:
    """Return a page with its mark."""
    return "\n\n".join([f"# {title}", MARK, *parts]) + "\n"

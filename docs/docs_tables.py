"""Write the generated parts of the docs: `python docs/docs_tables.py`. A test compares them."""

from __future__ import annotations

from pathlib import Path

from frisket.cli.exits import EXIT
from frisket.errors import FrisketError
from frisket.rpc.status import STATUS

HERE = Path(__file__).resolve().parent
INTRO = """# Errors

Every failure a user can meet has a slug (stable, for programs), a title, a cause and a remedy. They are made in
`server/frisket/errors.py` and shown the same everywhere: as the message of a gRPC status with the whole error in the
trailer `frisket-error-bin`, as two lines and an exit code on the command line, and as GIMP's own message.

Words in braces are filled in. This table is written by `python docs/docs_tables.py`.

"""


def errors_table() -> str:
    """Markdown, one row for each error."""
    rows = ["| slug | title | cause | remedy | gRPC status | exit |", "|---|---|---|---|---|---|"]
    for slug, cls in sorted(FrisketError.registry.items(), key=lambda item: (EXIT[item[1].kind], item[0])):
        if cls.__name__.startswith("_") or slug == "unknown":
            continue
        cells = (slug, cls.title, cls.cause_template, cls.remedy_template, STATUS[cls.kind].name, str(EXIT[cls.kind]))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    (HERE / "errors.md").write_text(INTRO + errors_table())
    print(HERE / "errors.md")

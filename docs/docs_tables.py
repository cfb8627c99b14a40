"""Write the generated parts of the docs: `python docs/docs_tables.py`. A test compares them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from frisket.cli.exits import EXIT
from frisket.engines.diffusion.table import ROWS, TRAITS, Masking
from frisket.engines.spec import EngineSpec
from frisket.errors import FrisketError
from frisket.models.catalogue import load
from frisket.models.families import Purpose
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


FILE = re.compile(r"(?P<mark><!-- file: (?P<path>\S+) -->\n```\w+\n)(?:.*?)(?P<end>^```$)", re.DOTALL | re.MULTILINE)
FIELD = re.compile(
    r"^    (?P<name>\w+): (?P<type>[^=#]+?)(?: = (?P<default>[^#]+?))?(?:  # (?P<says>.*))?$", re.MULTILINE
)


def page(text: str) -> str:
    """A page with the files and tables that it shows as they are now."""
    text = FILE.sub(lambda m: m["mark"] + (HERE / m["path"]).read_text() + m["end"], text)
    for name, table in TABLES.items():
        between = re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- end of {name} -->)", re.DOTALL)
        text = between.sub(lambda _, table=table: table(), text)
    return text


def spec_table() -> str:
    """Markdown, one row for each field of EngineSpec; what it means is the comment beside it."""
    rows = ["| field | default | meaning |", "|---|---|---|"]
    for field in FIELD.finditer(inspect.getsource(EngineSpec).partition("    def ")[0]):
        default = field["default"] or ""
        default = "`SizeRule()`" if "field(" in default else f"`{default}`" if default else "must be given"
        rows.append(f"| `{field['name']}` | {default} | {field['says'] or ''} |")
    return "\n".join(rows) + "\n"


TASKS = (Purpose.INPAINT, Purpose.OUTPAINT, Purpose.VARIATION, Purpose.TEXT_TO_LAYER, Purpose.INSTRUCT)
HOW = {Masking.BLEND: "blend", Masking.CONCAT: "hole", Masking.WHOLE: "yes"}


def families_table() -> str:
    """Markdown, one row for each family of models that paints, one column for each task."""
    rows = ["| family | " + " | ".join(task.value for task in TASKS) + " | trained at | sides in steps of |"]
    rows.append("|---" * (len(TASKS) + 3) + "|")
    for family, pairs in ROWS.items():
        cells = [HOW[pairs[task].masking] if task in pairs else "" for task in TASKS]
        traits = TRAITS[family]
        rows.append(f"| `{family.value}` | " + " | ".join(cells) + f" | {traits.native} px | {traits.multiple} px |")
    return "\n".join(rows) + "\n"


def catalogue_table() -> str:
    """Markdown, one row for each model of the built-in catalogue."""
    rows = ["| id | model | family | licence | in business | gated |", "|---|---|---|---|---|---|"]
    for entry in load().values():
        licence = entry.licence
        gated = "yes" if licence.gated else ""
        cells = (f"`{entry.id}`", entry.title, entry.family.value, licence.name, licence.commercial.value, gated)
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


TABLES = {"fields": spec_table, "families": families_table, "catalogue": catalogue_table}
PAGES = (HERE / "add-an-engine.md", HERE / "diffusion.md", HERE / "models.md")


if __name__ == "__main__":
    (HERE / "errors.md").write_text(INTRO + errors_table())
    for path in PAGES:
        path.write_text(page(path.read_text()))
    print(*(path.name for path in (HERE / "errors.md", *PAGES)))

"""`report`: one table of the runs in a folder, by the settings in which they differ, and their curves."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.config.schema import ReportConfig
from cnnlab.files import write_atomically, writing
from cnnlab.rendering import tables
from cnnlab.rendering.printable import printable
from cnnlab.reporting.conditions import chosen, is_number, text_of
from cnnlab.reporting.groups import Group, columns_of, grouped, in_order, name_of, shared_choices
from cnnlab.reporting.pairs import Pair, compared
from cnnlab.reporting.records import MEASURED, collect, read_rows

FEW = 8  # the most groups that are drawn and compared in pairs
COMPARED = {"test/acc": "test", "val/acc": "validation"}  # the latter if no run was tested
HEADINGS = {"val/acc": "val %", "test/acc": "test %", "test/acc_last": "last %"}


def run(cfg: ReportConfig) -> None:
    """Print or write the table of the runs in `log_dir`, and draw their curves.

    Raises:
        UserError: an option has an unknown value, or names a key that no run has.
    """
    runs, skipped = collect(Path(cfg.log_dir))
    notes = list(skipped)
    groups = grouped(chosen(runs, cfg.where), cfg.group_by)
    if groups:
        columns = columns_of(groups, cfg.group_by)
        groups = in_order(groups, columns, cfg.sort)
        _show(cfg, groups, columns)
        if len(groups) > FEW:
            notes.append(
                f"up to {FEW} groups are drawn and compared in pairs, got {len(groups)}: select some with where="
            )
        elif cfg.plot:
            notes += _draw(groups, columns, Path(cfg.figures))
    elif runs:
        notes.append(f"none of {len(runs)} runs fits where={' '.join(cfg.where or ())}")
    else:
        notes.append(f"no runs in {cfg.log_dir} yet")
    if groups and cfg.page:
        notes.append(f"page: {_write_page(cfg, groups, columns, skipped)}")
    for_people = cfg.format in tables.READ_BY_PEOPLE
    if groups and notes and for_people:
        print()
    for note in notes:
        print(printable(note), file=sys.stdout if for_people else sys.stderr)


def _show(cfg: ReportConfig, groups: Sequence[Group], columns: Sequence[str]) -> None:
    """Show the table of groups, and that of pairs if there are any; JSON holds both in one document."""
    rows = [group.row(columns) for group in groups]
    measure = "test/acc" if any(group.mean("test/acc") is not None for group in groups) else "val/acc"
    pairs = compared(groups, measure) if len(groups) <= FEW else []
    if cfg.format not in tables.READ_BY_PEOPLE:
        plain = [_plain_pair(pair, measure, columns) for pair in pairs]
        tables.emit(tables.render(rows, cfg.format, facts={"pairs": plain}), cfg.output)
        if plain and cfg.format == "csv" and cfg.output is not None:
            tables.emit(tables.render(plain, cfg.format), cfg.output, suffix="pairs")
        return
    readable = [_readable(row, columns) for row in rows]
    filled = [heading for heading in readable[0] if heading in columns or any(row[heading] for row in readable)]
    text = [{heading: row[heading] for heading in filled} for row in readable]
    left = [column for column in columns if not all(is_number(row[column]) for row in rows)] + ["unfinished", "limited"]
    tables.emit(tables.render(text, cfg.format, numbers=set(filled) - set(left)), cfg.output)
    if shared := shared_choices(groups, columns):
        print(f"\nall with {shared}")
    if pairs:
        print(
            f"\n{COMPARED[measure]} accuracy on shared seeds, first minus second, in percentage points; p of the "
            "pair's own paired t-test\n"
        )
        pair_rows = [_readable_pair(pair, columns) for pair in pairs]
        tables.emit(
            tables.render(pair_rows, cfg.format, numbers=("seeds", "difference", "p")), cfg.output, suffix="pairs"
        )


def _readable(row: dict[str, Any], columns: Sequence[str]) -> dict[str, str]:
    cells = {column: "" if row[column] is None else text_of(row[column]) for column in columns}
    cells |= {"n": str(row["n"]), "unfinished": row["unfinished"]}
    cells |= {"epochs": _number(row["epochs"], ".4g"), "best": _number(row["best_epoch"], ".4g")}
    for field in MEASURED:
        fraction, std = row[field], row[f"{field}_std"]
        spread = "" if std is None else f" ± {100 * std:.2f}"
        cells[HEADINGS[field]] = "" if fraction is None else f"{100 * fraction:.2f}{spread}"
    seconds = row["train_seconds"]
    cells["minutes"] = "" if seconds is None else f"{seconds / 60:,.1f}"
    cells["images/s"] = _number(row["images_per_second"], ",.0f")
    return cells | {"limited": "yes" if row["limited"] else ""}


def _write_page(cfg: ReportConfig, groups: Sequence[Group], columns: Sequence[str], notes: Sequence[str]) -> Path:
    """Write the page of the groups' runs, and return its path."""
    from cnnlab.reporting.page.content import content_of, title_of  # imports torch
    from cnnlab.reporting.page.document import document

    def log(line: str) -> None:
        print(printable(line), file=sys.stderr)

    path = Path(cfg.figures) / "report.html"
    with writing(f"figures={cfg.figures}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    content = content_of(groups, columns, notes, cfg.evaluate, log)
    with writing(f"figures={cfg.figures}"):
        write_atomically(path, document(title_of([run for group in groups for run in group.runs]), content))
    return path


def _number(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"


def _plain_pair(pair: Pair, measure: str, columns: Sequence[str]) -> dict[str, Any]:
    return {
        "measure": measure,
        "first": name_of(pair.first, columns),
        "second": name_of(pair.second, columns),
        "seeds": pair.seeds,
        "difference": pair.difference,
        "difference_std": pair.std,
        "p": pair.p,
    }


def _readable_pair(pair: Pair, columns: Sequence[str]) -> dict[str, str]:
    return {
        "first": name_of(pair.first, columns),
        "second": name_of(pair.second, columns),
        "seeds": str(pair.seeds),
        "difference": f"{100 * pair.difference:+.2f} ± {100 * pair.std:.2f}",
        "p": "" if pair.p is None else "< 0.001" if pair.p < 0.001 else f"{pair.p:.3f}",
    }


def _draw(groups: Sequence[Group], columns: Sequence[str], folder: Path) -> list[str]:
    """Draw the complete runs; return lines with the path, and with runs whose epochs cannot be read."""
    curves, notes = {}, []
    for group in groups:
        several = []
        for run in group.done:
            try:
                several.append(read_rows(run))
            except ValueError as error:
                notes.append(f"not drawn: {run.folder.path}: {error}")
        if any(several):
            curves[name_of(group, columns)] = [rows for rows in several if rows]
    if not curves:
        return notes
    from cnnlab.figures.group_curves import draw_groups  # matplotlib takes a second

    with writing(f"figures={folder}"):
        path = draw_groups(curves, folder / "curves.png")
    return [*notes, f"figure: {path}"]

"""The table of results, in Markdown."""
from export import EXPORTERS
from networks import NETWORKS
from programs import PROGRAMS


def table(rows: dict[tuple[str, str, str], dict]) -> str:
    """One line for each network and exporter; below it, what is wrong with a result.

    A cell is the share of the parameters and of the multiply-adds that went, and the seconds. Torch-Pruning works on the module, so that
    its shares of parameters are the module's, and its cell of the second exporter is that of the first.
    """
    keys = [(network, exporter) for network in NETWORKS for exporter in EXPORTERS if ("export", network, exporter) in rows]
    lines = ["| network | exporter | batch | parameters, M | multiply-adds, M | " + " | ".join(PROGRAMS) + " |",
             "|---|---|---|--:|--:|" + "---|" * len(PROGRAMS)]
    faults = []
    for network, exporter in keys:
        exported = rows["export", network, exporter]
        if "fault" in exported:
            faults.append(f"- {network}, {exporter}, export: {exported['fault']}")
            continue
        cells = []
        for program in PROGRAMS:
            row = rows.get((program, network, exporter))
            if row is None and program == "torch-pruning":
                cells.append("as above" if (program, network, "ts") in rows else "")
                continue
            cells.append("" if row is None else cell(row, exported))
            faults += [f"- {network}, {exporter}, {program}: {why}" for why in complaints(row or {})]
        counts = f"{exported['parameters'] / 1e6:.2f} | {exported['multiply_adds'] / 1e6:.0f}"
        lines.append(f"| {network} | {exporter} | {exported['batch']} | {counts} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *faults])


def complaints(row: dict) -> list[str]:
    """What is wrong with a result."""
    found = [f"{key}: {row[key]}" for key in ("fault", "checker") if key in row]
    agreement = row.get("evaluate", 1.0)
    return found if agreement == 1.0 else [*found, f"evaluate: {agreement}"]


def cell(row: dict, exported: dict) -> str:
    if "fault" in row:
        return "does not run" if "parameters" in row else "error"
    before, after = row.get("of_module", (exported["parameters"], row["parameters"]))
    shares = f"{share(before, after)} {share(exported['multiply_adds'], row['multiply_adds'])} {row['seconds']:.1f} s"
    return f"{shares}, not valid" if "checker" in row else shares


def share(before: int, after: int) -> str:
    """The share that went, as .74."""
    return f"{1 - after / before:.2f}".removeprefix("0")

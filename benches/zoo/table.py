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
        counts = f"{exported['parameters'] / 1e6:.2f} | {exported['multiply_adds'] / 1e6:.1f}"
        lines.append(f"| {network} | {exporter} | {exported['batch']} | {counts} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *summary(rows, keys), "", *faults])


def summary(rows: dict[tuple[str, str, str], dict], keys: list[tuple[str, str]]) -> list[str]:
    """How many results of each program are valid, and where tropix takes fewer parameters than Torch-Pruning."""
    lines = []
    for program in PROGRAMS:
        found = [rows[program, *key] for key in keys if (program, *key) in rows]
        if found:
            lines.append(f"- {program}: {sum(not complaints(row) for row in found)} of {len(found)} valid")
    fewer = []
    for network, exporter in keys:
        ours = rows.get(("tropix", network, exporter), {})
        peer = rows.get(("torch-pruning", network, "ts"), {})
        if "multiply_adds" in ours and "multiply_adds" in peer:
            exported = rows["export", network, exporter]
            gap = gone(peer, exported) - gone(ours, exported)
            fewer += [f"{network} {exporter} {gap:.3f}"] if gap > 0 else []
    apart = [f"{network} {exporter} ({row['not_evaluated']})" for network, exporter in keys
             if "not_evaluated" in (row := rows.get(("tropix", network, exporter), {}))]
    if apart:
        lines.append(f"- valid, but not evaluated by tropix: {', '.join(apart)}")
    return [*lines, f"- tropix takes fewer parameters than torch-pruning, by: {', '.join(fewer)}"] if fewer else lines


def complaints(row: dict) -> list[str]:
    """What is wrong with a result."""
    found = [f"{key}: {row[key]}" for key in ("fault", "checker") if key in row]
    agreement = row.get("evaluate", 1.0)
    return found if agreement == 1.0 else [*found, f"evaluate: {agreement}"]


def cell(row: dict, exported: dict) -> str:
    if "fault" in row:
        return "does not run" if "parameters" in row else "error"
    multiply_adds = 1 - row["multiply_adds"] / exported["multiply_adds"]
    shares = f"{hundredths(gone(row, exported))} {hundredths(multiply_adds)} {row['seconds']:.1f} s"
    return f"{shares}, not valid" if "checker" in row else shares


def gone(row: dict, exported: dict) -> float:
    """The share of the parameters that went."""
    before, after = row.get("of_module", (exported["parameters"], row["parameters"]))
    return 1 - after / before


def hundredths(share: float) -> str:
    """0.742 as .74."""
    return f"{share:.2f}".removeprefix("0")

"""The zoo: exports networks as ONNX, prunes each with every program, judges what comes out, and prints the table (see README.md)."""
import argparse
import json
import multiprocessing
import pathlib
import tempfile
from typing import Iterator

import torch

import export
import networks
import programs
import table
import valid


def isolated(function, *arguments, seconds: float) -> dict:
    """`function(*arguments)` in a process of its own: a crash or a run longer than `seconds` becomes a row that says so."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def work():
        try:
            theirs.send(function(*arguments))
        except Exception as error:
            theirs.send({"fault": f"{type(error).__name__}: {valid.first_line(error)}"})

    process = context.Process(target=work)
    process.start()
    theirs.close()
    try:
        row = ours.recv() if ours.poll(seconds) else {"fault": f"not done in {seconds:.0f} s"}
    except EOFError:
        process.join()
        row = {"fault": f"died with code {process.exitcode}"}
    process.kill()
    process.join()
    return row


class Results:
    """Rows by (program, network, exporter), kept as JSON lines: the last line of a key counts."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.rows = {}
        if path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self.rows[self.key(row)] = row

    @staticmethod
    def key(row: dict) -> tuple[str, str, str]:
        return row["program"], row["network"], row["exporter"]

    def add(self, program: str, network: str, exporter: str, row: dict) -> None:
        row = {"program": program, "network": network, "exporter": exporter, **row}
        self.rows[self.key(row)] = row
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def compact(self) -> None:
        """Rewrites the file with one line for each key."""
        beside = self.path.with_suffix(".tmp")
        beside.write_text("".join(json.dumps(self.rows[key]) + "\n" for key in sorted(self.rows)))
        beside.replace(self.path)


def run_export(options, results: Results) -> None:
    for exporter in export.EXPORTERS:
        for name in options.networks:
            path = options.folder / f"{name}.{exporter}.onnx"
            done = results.rows.get(("export", name, exporter))
            if done and (path.exists() or "fault" in done) and not options.again:
                continue
            results.add("export", name, exporter, isolated(export.export, name, exporter, path, seconds=options.seconds))


def run_prune(options, results: Results) -> None:
    for program in [program for program in programs.PROGRAMS if program in options.programs]:
        for case in cases(program, options, results):
            if (program, case.network, case.exporter) in results.rows and not options.again:
                continue
            row = isolated(programs.prune, program, case, seconds=options.seconds)
            results.add(program, case.network, case.exporter, row | judge(program, case, options) if "fault" not in row else row)


def run_check(options, results: Results) -> None:
    for program in options.programs:
        for case in cases(program, options, results):
            row = results.rows.get((program, case.network, case.exporter))
            if row and case.target.exists():
                kept = {key: row[key] for key in ("version", "seconds", "of_module") if key in row}
                results.add(program, case.network, case.exporter, kept | judge(program, case, options))


def judge(program: str, case: programs.Case, options) -> dict:
    return isolated(programs.judged, program, case, seconds=options.seconds)


def cases(program: str, options, results: Results) -> Iterator[programs.Case]:
    """The exported files that `program` gets. Torch-Pruning works on the module: one exporter that works is enough."""
    folder = options.folder / program
    folder.mkdir(exist_ok=True)
    for name in options.networks:
        exported = [(exporter, results.rows.get(("export", name, exporter), {"fault": ""})) for exporter in export.EXPORTERS]
        exported = [(exporter, row) for exporter, row in exported if "fault" not in row]
        for exporter, row in exported[:1] if program == "torch-pruning" else exported:
            file = f"{name}.{exporter}.onnx"
            yield programs.Case(name, exporter, options.folder / file, folder / file, row["batch"] == "dynamic", row["classes"], options.tropix)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["export", "prune", "check", "table"])
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "tropix-zoo", help="of the ONNX files")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path(__file__).parent / "results" / "zoo.jsonl")
    parser.add_argument("--networks", type=lambda text: text.split(","), default=list(networks.NETWORKS))
    parser.add_argument("--programs", type=lambda text: text.split(","), default=["torch-pruning", "onnxsim"])
    parser.add_argument("--tropix", type=pathlib.Path, help="the binary; alone, the only program that runs")
    parser.add_argument("--again", action="store_true", help="do what is done already")
    parser.add_argument("--seconds", type=float, default=900, help="time limit of one step of one network")
    options = parser.parse_args()
    if options.tropix:
        options.programs = ["tropix"]
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    results = Results(options.results)
    if options.command == "table":
        print(table.table(results.rows))
    else:
        {"export": run_export, "prune": run_prune, "check": run_check}[options.command](options, results)
        results.compact()


if __name__ == "__main__":
    main()

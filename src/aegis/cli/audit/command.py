"""`aegis audit`: read, verify, prove and export the tamper-evident log, and record that a backup was put back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli.files import read_file, write
from aegis.core.errors import Refused, UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.audit.entry import Entry
    from aegis.audit.findings import Finding, Report
    from aegis.cli.audit.log import Opened

FORMATS = ("json", "ocsf", "ecs", "cloudevents")
MAX_CHECKPOINT = 65_536
"""Bytes of a checkpoint's or proof's file."""
MAX_LINES = 100_000


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "audit", help="read, verify, prove and export the audit log", allow_abbrev=False
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    tail = _add(below, "tail", "the newest entries, for people; nothing is verified")
    tail.add_argument("--lines", metavar="N", type=_number, default=10, help="how many (default: 10)")
    tail.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    tail.set_defaults(run=run_tail)

    verify = _add(below, "verify", "whether the log is what its key signed")
    verify.add_argument(
        "--against", metavar="FILE", type=Path, action="append", default=[],
        help="a checkpoint of this log that was kept elsewhere; may be repeated",
    )  # fmt: skip
    verify.add_argument("--proof", metavar="FILE", type=Path, help="check a .tlog-proof instead; needs no log")
    verify.add_argument("--entry", metavar="FILE", type=Path, help="the entry that --proof is about")
    verify.set_defaults(run=run_verify)

    prove = _add(below, "prove", "a proof that an entry is in the log, for those who have no access to it")
    prove.add_argument("index", metavar="INDEX", type=_number, help="of the entry, from 0")
    prove.add_argument(
        "--output", metavar="FILE", type=Path, help="the .tlog-proof to write (default: standard output)"
    )
    prove.add_argument("--entry", metavar="FILE", type=Path, help="to write the entry itself to, byte for byte")
    prove.set_defaults(run=run_prove)

    export = _add(below, "export", "entries as JSON, one a line; nothing is verified")
    export.add_argument("--format", choices=FORMATS, default="json", help="(default: json, as they are recorded)")
    export.add_argument("--from", dest="first", metavar="INDEX", type=_number, default=0, help="(default: 0)")
    export.add_argument("--output", metavar="FILE", type=Path, help="to write (default: standard output)")
    export.set_defaults(run=run_export)

    checkpoint = _add(below, "checkpoint", "the signed checkpoint, to be published or kept elsewhere")
    checkpoint.add_argument(
        "--after",
        metavar="FILE",
        type=Path,
        help="the one that was published before: refused if this does not continue it",
    )
    checkpoint.add_argument("--output", metavar="FILE", type=Path, help="to write (default: standard output)")
    checkpoint.set_defaults(run=run_checkpoint)

    restored = _add(below, "restored", "record that a backup was put back, and which checkpoints were lost by that")
    restored.add_argument(
        "--checkpoint", metavar="FILE", type=Path, action="append", required=True,
        help="one that was published before, and that the log does not continue; may be repeated",
    )  # fmt: skip
    restored.set_defaults(run=run_restored)


def run_tail(arguments: argparse.Namespace) -> int:
    """The newest entries."""
    from aegis.cli.audit.log import entries_from, head_of, opened

    if arguments.lines > MAX_LINES:
        raise _wrong(f"--lines is {arguments.lines}", f"at most {MAX_LINES}", "use `aegis audit export`")
    with opened(arguments) as log:
        _warn(log)
        size = head_of(log).size
        for index, data in entries_from(log.source, max(size - arguments.lines, 0), size):
            sys.stdout.write(_json_line(index, data) if arguments.format == "json" else _line(index, data))
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Whether the log, or one proof, holds."""
    from aegis.cli.audit.log import known_verifier, opened, verified

    if (arguments.proof is None) != (arguments.entry is None):
        raise _wrong("--proof and --entry are given one without the other", "both or none", "name both files")
    if arguments.proof is not None:
        return _verify_proof(arguments)
    against = [_checkpoint(file) for file in arguments.against]
    with opened(arguments) as log:
        verifier = known_verifier(log)
        report = verified(log, verifier, against)
    refusal = report.refusal()
    if refusal is not None:
        for finding in report.findings[1:]:
            _say(f"also {_found(finding)}")
        raise refusal
    _say_report(report)
    _say(f"key: {verifier}")
    return 0


def run_prove(arguments: argparse.Namespace) -> int:
    """A proof of one entry."""
    from aegis.audit import prove
    from aegis.audit.checkpoint import open_checkpoint
    from aegis.audit.proof import parse_proof
    from aegis.cli.audit.log import known_verifier, opened

    with opened(arguments) as log:
        _warn(log)
        verifier = known_verifier(log)
        proof = prove.prove(log.source, verifier, arguments.index)
        if arguments.entry is not None:
            size = open_checkpoint(parse_proof(proof).checkpoint, verifier).size
            write(arguments.entry, prove.read_entry(log.source, index=arguments.index, size=size))
    return _deliver(proof, arguments.output)


def run_export(arguments: argparse.Namespace) -> int:
    """All entries from one on."""
    from aegis.cli.audit.log import exported, opened

    with opened(arguments) as log:
        _warn(log)
        exported(log, arguments.format, arguments.first, arguments.output)
    return 0


def run_checkpoint(arguments: argparse.Namespace) -> int:
    """The newest checkpoint."""
    from aegis.audit.publish import checkpoint_to_publish
    from aegis.cli.audit.log import checkpoint_of, known_verifier, opened

    last = _checkpoint(arguments.after) if arguments.after is not None else None
    with opened(arguments) as log:
        _warn(log)
        if last is None and log.verifier is None:
            note = checkpoint_of(log)
        else:
            note = checkpoint_to_publish(log.source, known_verifier(log), last)
    return _deliver(note, arguments.output)


def run_restored(arguments: argparse.Namespace) -> int:
    """Record a restore."""
    from aegis.audit.restore import record_restore
    from aegis.cli.audit.log import opened_to_write

    lost = [_checkpoint(file) for file in arguments.checkpoint]
    with opened_to_write(arguments) as (log, verifier, actor):
        for receipt in record_restore(log, verifier, lost, actor):
            _say(f"recorded as entry {receipt.index}")
    return 0


def _add(below: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = below.add_parser(name, help=what, allow_abbrev=False)
    parser.add_argument(
        "--log", metavar="DIR", type=Path,
        help="the log's folder (default: what AEGIS_DATA, or DATABASE_URL and AEGIS_AUDIT, say)",
    )  # fmt: skip
    parser.add_argument(
        "--key", metavar="KEY", help="the log's verifier key, or a file with it or with the log's own key"
    )
    return parser


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text[:40]!a} is no whole number from 0")
    return int(text)


def _checkpoint(file: Path) -> bytes:
    """One that a file holds; whether it is of this log is asked later."""
    from aegis.audit.checkpoint import read_checkpoint

    data = read_file(file, MAX_CHECKPOINT)
    try:
        read_checkpoint(data)
    except Refused as error:
        raise _wrong(f"{str(file)!r}: {error.problem}", error.expected, "name a checkpoint's file") from error
    return data


def _verify_proof(arguments: argparse.Namespace) -> int:
    from aegis.audit.entry import MAX_BYTES
    from aegis.audit.proof import parse_proof, verify_proof
    from aegis.cli.audit.log import verifier_of_arguments

    verifier = verifier_of_arguments(arguments)
    proof, entry = read_file(arguments.proof, MAX_CHECKPOINT), read_file(arguments.entry, MAX_BYTES)
    head = verify_proof(proof, entry, verifier)
    _say(f"proven: it is entry {parse_proof(proof).index} of {head.size} in {head.origin}")
    return 0


def _say_report(report: Report) -> None:
    _say(f"{report.result}: {report.size} entries of {report.origin}, root hash {report.root.hex()}")
    for index in report.restored:
        _say(f"restored: entry {index} says which published checkpoint was lost when a backup was put back")
    for note in report.notes:
        _say(f"note: {note}")


def _json_line(index: int, data: bytes) -> str:
    """As it is recorded: JSON escapes what a terminal would obey, but for what is not ASCII."""
    from aegis.audit.entry import decode

    try:
        decode(data)
    except Refused as error:
        raise Refused(error.code, f"{index}: {error.problem}", expected=error.expected, remedy=error.remedy) from error
    return terminal(data.decode()) + "\n"


def _line(index: int, data: bytes) -> str:
    from aegis.audit.entry import decode

    try:
        return terminal(f"{index}  {_told(decode(data))}") + "\n"
    except Refused as error:
        return terminal(f"{index}  is no event: {error.problem}") + "\n"


def _told(entry: Entry) -> str:
    from aegis.audit.entry import format_time

    event, resource = entry.event, entry.event.resource
    version = f"@{resource.version}" if resource.version else ""
    words = [
        *(format_time(entry.time), event.outcome, event.action, f"{resource.kind}:{resource.name}{version}"),
        *("by", event.actor.display or event.actor.id),
        *([f"({event.reason})"] if event.reason else []),
    ]
    return " ".join(words)


def _warn(log: Opened) -> None:
    """Not of what was asked, but nobody should overlook it."""
    for finding in log.findings:
        sys.stderr.write(terminal(f"warning: the log {_found(finding)}; see `aegis audit verify`") + "\n")


def _found(finding: Finding) -> str:
    return f"at entry {finding.index}: {finding.tamper} {finding.name}: {finding.problem}"


def _deliver(data: bytes, output: Path | None) -> int:
    if output is not None:
        write(output, data)
    else:
        sys.stdout.buffer.write(data)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(terminal(text) + "\n")


def _wrong(problem: str, expected: str, remedy: str) -> UsageError:
    return UsageError("core.wrong_usage", problem, expected=expected, remedy=remedy)

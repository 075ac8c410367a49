"""Reasons of `aegis report`: past verdicts on one page."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "report.nothing_found",
        "No past verdict",
        "A page about nothing would look as if nothing were wrong.",
        "Name a folder with `verdict.json` files, or a repository whose workflows keep them as artifacts.",
    ),
    Code(
        "report.incomplete",
        "Not everything could be read",
        "What is missing on a page may be the very thing that matters; the page and this error say what it is.",
        "Look at the page's section `Not read`, and mend or take away what it names.",
    ),
    Code(
        "report.verdict_unreadable",
        "File cannot be opened",
        "Only regular files are read: a link could lead anywhere, and a pipe never end.",
        "Mend the file or its permissions, or take it away.",
    ),
    Code(
        "report.verdict_unfit",
        "Verdict of something else",
        "A verdict of another run or of the future says nothing about the run that it was found with.",
        "Look who put it there; nothing of it counts.",
    ),
    Code(
        "report.archive_unfit",
        "Archive is not as an artifact's",
        "An archive can claim to be small and be large, or name members that lead elsewhere.",
        "Look who made it; nothing in it was read beyond what the message says.",
    ),
    Code(
        "report.artifact_failed",
        "Artifact could not be fetched",
        "What an artifact holds is unknown until it was read.",
        "Run it again; the message says what GitHub or its storage answered.",
    ),
    Code(
        "report.too_much",
        "More than is looked through",
        "Without a limit a folder or a repository could keep a job busy for ever.",
        "Ask for less, e.g. by `--since`, or name folders below it.",
    ),
)

"""Reasons of `aegis evidence`: signed verdicts that are kept."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "evidence.policy_incomplete",
        "The section evidence cannot keep verdicts",
        "It lacks signers, or names a store that nothing can be kept or found in.",
        "Correct the place that the message names; `aegis init --evidence …` writes a section to compare with.",
    ),
    Code(
        "evidence.missing",
        "There is no verdict",
        "Nobody has judged this commit or artifact, or its verdict was not stored: both are a no.",
        "Run the gate on it, and store its verdict by `aegis evidence put`.",
    ),
    Code(
        "evidence.not_passed",
        "The newest verdict is no pass",
        "The newest verdict of a gate decides: an older one that passed is of what was known then.",
        "Look at its findings, and run the gate again once they are settled.",
    ),
    Code(
        "evidence.stale",
        "The newest verdict is too old",
        "What was true then need not be true now, or the verdict is of the future and its clock is wrong.",
        "Run the gate again, and store its new verdict.",
    ),
    Code(
        "evidence.altered",
        "A stored verdict was changed",
        "Its bytes are no longer those that its name or its signature speaks for.",
        "Treat the store as compromised: look who can write there, and get it back from the bucket's versions.",
    ),
    Code(
        "evidence.misplaced",
        "A verdict lies where another belongs",
        "It is about another commit or artifact, by another gate or of another time than its place says: somebody has "
        "put it there to be taken for what it is not.",
        "Look who can write there; `aegis evidence put` puts each verdict in its own place.",
    ),
    Code(
        "evidence.malformed",
        "What was signed is no verdict",
        "A statement of another kind, or a verdict of another form, says nothing about a gate.",
        "Store what a gate has written, by `aegis evidence put`.",
    ),
    Code(
        "evidence.document_missing",
        "A part of a stored verdict is gone",
        "A bundle or the verdict.json that it speaks for is not there, though nothing is ever removed.",
        "Look who can delete there, and get it back from the bucket's versions.",
    ),
    Code(
        "evidence.rolled_back",
        "The store has lost a verdict that it had",
        "Whoever removes the newest verdict lets an older one decide.",
        "Get it back from the bucket's versions; let Object Lock hold verdicts fast (evidence.retain).",
    ),
    Code(
        "evidence.memory_malformed",
        "The file that remembers verdicts can't be read",
        "Without it nobody would notice that the store has lost one.",
        "Get the file back from where it is kept.",
    ),
    Code(
        "evidence.other_run",
        "The verdict is of another run",
        "What another run has left behind says nothing about this one.",
        "Store a verdict in the run that has given it.",
    ),
    Code(
        "evidence.nowhere",
        "The verdict names nothing that it could be found by",
        "Without a commit or a digest nobody would ever find it.",
        "Run the gate in a checkout, or name what it is about by `--subject NAME@sha256:HEX`.",
    ),
    Code(
        "evidence.not_retained",
        "The store does not hold the verdict fast",
        "evidence.retain asks for Object Lock, and the bucket has none, or holds it for a shorter time.",
        "Make the bucket with Object Lock, and let the writer's role set retention; or take evidence.retain out.",
    ),
    Code(
        "evidence.too_many",
        "There are too many verdicts to read them all",
        "Each of them is read and verified, which has a bound.",
        "Ask for one gate, or leave out --all: the newest of each gate decides.",
    ),
)

"""Reasons of the scan gate."""

from __future__ import annotations

from aegis.core.codes.code import Code

_ADAPTER = "Call the adapter that wraps this provider, or move the code into a path that the policy allows for it."

TABLE = (
    # --- classes of use -----------------------------------------------------------------------------------
    Code(
        "scan.runtime",
        "Direct SDK use in runtime code",
        "Code that calls a provider's SDK directly can be moved, tested and secured only together with that provider.",
        _ADAPTER,
    ),
    Code(
        "scan.type_only",
        "SDK types in runtime code",
        "Types of an SDK in signatures tie callers to it, even when nothing is imported at run time.",
        "Define the type that the port needs, and keep the SDK's types inside the adapter.",
    ),
    Code(
        "scan.test",
        "SDK use in tests",
        "Tests that mock or call an SDK directly prove the provider's surface instead of the port's contract.",
        "Test against the port with a double, or allow the path in `scan.allow` with a reason.",
    ),
    Code(
        "scan.dynamic",
        "SDK loaded by name",
        "An SDK loaded by name is still an SDK; only static checks stop seeing it.",
        _ADAPTER,
    ),
    Code(
        "scan.embedded",
        "SDK use inside a string",
        "Code handed to another interpreter runs with the same rights as the code around it.",
        "Move the embedded code into a module of its own behind the adapter.",
    ),
    Code(
        "scan.cli",
        "Provider's command-line tool",
        "A command-line tool is the SDK by another door: same credentials, same coupling, no types.",
        "Call the adapter, or allow the path in `scan.allow` with a reason.",
    ),
    Code(
        "scan.manifest",
        "SDK declared as a dependency",
        "A declared SDK is one import away from runtime code and ships with every build.",
        "Declare it in the extra or module of the adapter that needs it, and allow that path.",
    ),
    Code(
        "scan.image",
        "Provider's tool in an image",
        "An image that carries a provider's tools brings the SDK into the runtime without any import.",
        "Use an image without them, or allow the path in `scan.allow` with a reason.",
    ),
    Code(
        "scan.ci",
        "Provider's action in a workflow",
        "Actions that log in to a provider put credentials where every later step can read them.",
        "Use short-lived credentials inside the step that needs them, or allow the workflow's path with a reason.",
    ),
    Code(
        "scan.wrapper",
        "Library over an SDK",
        "A wrapper library brings its provider's SDK and its credentials with it.",
        "Use the port, or allow the path in `scan.allow` with a reason.",
    ),
    # --- the gate itself ----------------------------------------------------------------------------------
    Code(
        "scan.not_analysed",
        "A candidate was not analysed",
        "What was not read may hide anything, so it cannot be called clean.",
        "Make the file readable for the scanner (see the message), or allow its path with a reason.",
    ),
    Code(
        "scan.engine_mismatch",
        "Two engines disagree",
        "Two independent readings of one statement differ, so one of them is wrong.",
        "Report the statement; until it is resolved it counts as a use.",
    ),
    Code(
        "scan.engine_missing",
        "semgrep is not available",
        "The matching engine could not be found or installed.",
        "Check the network and the `index-url` input, or name the binary in AEGIS_SEMGREP_CORE.",
    ),
    Code(
        "scan.engine_failed",
        "semgrep did not answer",
        "The engine crashed, was killed, ran out of time, or its control statements did not match.",
        "Run it again; report it if it fails again.",
    ),
    Code(
        "scan.unknown_provider",
        "Provider not known",
        "The catalogue has no provider of this name.",
        "Use one of the providers that the message lists.",
    ),
    Code(
        "scan.catalogue_invalid",
        "Catalogue not valid",
        "The catalogue of SDKs could not be read.",
        "Reinstall Aegis at a released version.",
    ),
    Code(
        "scan.catalogue_unchecked",
        "Catalogue not checked",
        "A list that a provider publishes could not be read, so nobody knows what the catalogue lacks.",
        "Run the check again; if the list has moved, correct the source in the provider's YAML file.",
    ),
    Code(
        "scan.baseline_invalid",
        "Baseline not valid",
        "The baseline file could not be read as one.",
        "Write it anew with `aegis scan --write-baseline`.",
    ),
    Code(
        "scan.baseline_stale",
        "Baseline entry no longer needed",
        "An entry that matches nothing would silently let its use come back.",
        "Shrink the baseline with `aegis scan --write-baseline`.",
    ),
    Code(
        "scan.suppression_invalid",
        "Suppression does not hold",
        "A suppression needs one exact place, an owner, a reason and an end.",
        "Complete the entry in `scan.suppressions`.",
    ),
    Code(
        "scan.suppression_expired",
        "Suppression has expired",
        "Its last day has passed.",
        "Mend the use, or renew the entry in a reviewed change.",
    ),
    Code(
        "scan.suppression_too_long",
        "Suppression lasts too long",
        "An end further away than 180 days is no end.",
        "Choose a date within 180 days.",
    ),
    Code(
        "scan.suppression_unused",
        "Suppression matches nothing",
        "An entry that matches nothing would silently let its use come back.",
        "Delete the entry.",
    ),
)

"""The registry of reason codes: `<gate>.<cause>`, stable, one meaning each.

A code is a finding's rule, the `ruleId` in SARIF, the reason of a verdict and the `code` of an `AegisError`.
`docs/reasons.md` is generated from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """One reason, explained once for every report."""

    id: str
    title: str
    why: str
    remedy: str

    @property
    def gate(self) -> str:
        """The gate it belongs to; `core` for what all gates share."""
        return self.id.partition(".")[0]


_ADAPTER = "Call the adapter that wraps this provider, or move the code into a path that the policy allows for it."

_TABLE = (
    # --- what every gate shares ---------------------------------------------------------------------------------
    Code(
        "core.passed",
        "The policy is met",
        "Everything that the policy asks for was looked at and holds.",
        "Nothing to do.",
    ),
    Code(
        "core.not_applicable",
        "Nothing here for this gate",
        "The gate found nothing that it could judge, and says why.",
        "Nothing to do.",
    ),
    Code(
        "core.findings",
        "The policy is not met",
        "At least one finding stands against passing.",
        "Read the findings; each has its own remedy.",
    ),
    Code(
        "core.wrong_usage",
        "Wrong arguments",
        "The command line or an action input is not what the tool accepts.",
        "Correct the argument that the message names.",
    ),
    Code(
        "core.policy_missing",
        "Policy file not found",
        "A policy file was named and is not there.",
        "Create the file, or leave the argument out to use `aegis.yml`.",
    ),
    Code(
        "core.policy_invalid",
        "Policy file not valid",
        "A policy that is only half understood would protect only half of what its author believes.",
        "Correct the place that the message names; the schema is docs/schemas/aegis.v1.schema.json.",
    ),
    Code(
        "core.policy_loosened",
        "The change loosens the policy",
        "On a pull request the base commit's policy is in force; a proposal that would weaken it must be seen as such.",
        "Have an owner of the policy file review the change, or take the loosening out of it.",
    ),
    Code(
        "core.extends_unresolved",
        "Organisation policy not available",
        "`extends` names a policy by commit; without it the rules in force are unknown.",
        "Fetch the repository that `extends` names, or correct the commit.",
    ),
    Code(
        "core.waiver_invalid",
        "Waiver does not hold",
        "A waiver is a watched door: it needs an owner, a reason and an end, and must still be needed.",
        "Renew the waiver in a reviewed change, or delete it.",
    ),
    Code(
        "core.observed",
        "Observed, not enforced",
        "`mode: observe` reports what the gate would say; that is no pass, whatever it says.",
        "Set `mode: enforce` when the findings are mended.",
    ),
    Code(
        "core.observe_expired",
        "Observe mode is over",
        "`mode: observe until …` has an end, and it has passed.",
        "Set `mode: enforce`, or a new end in a reviewed change.",
    ),
    Code(
        "core.interrupted",
        "Interrupted",
        "The run was told to stop before it had an answer.",
        "Run it again.",
    ),
    Code(
        "core.crashed",
        "The tool failed",
        "An answer that never came is not a pass.",
        "Run it again with the command in the last line; report it if it fails again.",
    ),
    Code(
        "core.no_verdict",
        "No verdict",
        "The gate ended without the verdict that its exit code claims.",
        "Run it again; report it if it fails again.",
    ),
    Code(
        "core.output_unwritable",
        "Report not written",
        "A verdict that nobody can read proves nothing.",
        "Choose an output folder that can be written and is no symbolic link.",
    ),
    Code(
        "core.truncated",
        "Report is cut",
        "A report must stay within what its reader takes.",
        "Read `verdict.json`, which holds every finding.",
    ),
    Code(
        "core.upload_failed",
        "Report not uploaded",
        "Code scanning did not take the SARIF file.",
        "Check `security-events: write` and that code scanning is on, or set `upload: never`.",
    ),
    Code(
        "core.install_failed",
        "A tool could not be installed",
        "The gate needs a tool that did not install.",
        "Check the network and the `index-url` input; nothing but the locked hashes is accepted.",
    ),
    # --- scan: classes of use -----------------------------------------------------------------------------------
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
    # --- scan: the gate itself ----------------------------------------------------------------------------------
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
        "scan.no_repository",
        "Not a git repository",
        "What git tracks is what is scanned; here git tracks nothing.",
        "Run it inside a git work tree (on GitHub: after actions/checkout).",
    ),
    Code(
        "scan.git_missing",
        "git is not available",
        "The scanner reads the repository through git.",
        "Install git.",
    ),
    Code(
        "scan.git_failed",
        "git did not answer",
        "A git command failed, so the repository was not read.",
        "Run the command in the message by hand and mend what it says.",
    ),
    Code(
        "scan.base_not_found",
        "Base commit not found",
        "Without the base nobody knows what this change adds.",
        "Fetch the base (`fetch-depth: 0`), or name an existing revision in `--base`.",
    ),
    Code(
        "scan.not_checked_out",
        "The change is not checked out",
        "What is in the work tree is not what the event is about, so a comparison would always look clean.",
        "Leave `ref` out of actions/checkout, or set it to the change's own commit.",
    ),
    Code(
        "scan.shallow",
        "Clone too shallow",
        "The base commit is not in this clone and could not be fetched.",
        "Set `fetch-depth: 0` in actions/checkout.",
    ),
    Code(
        "scan.unreadable_file",
        "File not readable",
        "A tracked file could not be read.",
        "Check its permissions; a submodule or sparse checkout must be checked out to be scanned.",
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

CODES: Mapping[str, Code] = MappingProxyType({code.id: code for code in _TABLE})

"""Reasons that all gates share."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE = (
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
        "core.gate_not_named",
        "The policy names no gate",
        "The root action runs the gates that the policy names; none at all would be green for anything.",
        "Add a section such as `scan:` to the policy file, or use the gate's own action.",
    ),
    Code(
        "core.policy_invalid",
        "Policy file not valid",
        "A policy that is only half understood would protect only half of what its author believes.",
        "Correct the place that is named; `aegis init` writes a policy to compare with.",
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
        "core.package_missing",
        "A package is not installed",
        "Each gate has an extra of its own; one that is asked for without its packages has no answer.",
        "Install the gate's extra, or use its action, which brings them.",
    ),
    Code(
        "core.no_verdict",
        "No verdict",
        "The gate ended without the verdict that its exit code claims.",
        "Run it again; report it if it fails again.",
    ),
    Code(
        "core.verdict_invalid",
        "Not a verdict",
        "What is cut, changed or made by hand says nothing about what a gate found.",
        "Run the gate again, and hand over its `verdict.json` as it is.",
    ),
    Code(
        "core.verdicts_unfit",
        "The verdicts are not those of this run",
        "A verdict that is missing, doubled, or of another commit, policy or tool would let something through unseen.",
        "Run every gate of the matrix again, and merge exactly their verdicts.",
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
    Code(
        "core.no_repository",
        "Not a git repository",
        "What git tracks is what is scanned; here git tracks nothing.",
        "Run it inside a git work tree (on GitHub: after actions/checkout).",
    ),
    Code(
        "core.git_missing",
        "git is not available",
        "The scanner reads the repository through git.",
        "Install git.",
    ),
    Code(
        "core.git_failed",
        "git did not answer",
        "A git command failed, so the repository was not read.",
        "Run the command in the message by hand and mend what it says.",
    ),
    Code(
        "core.base_not_found",
        "Base commit not found",
        "Without the base nobody knows what this change adds.",
        "Fetch the base (`fetch-depth: 0`), or name an existing revision in `--base`.",
    ),
    Code(
        "core.not_checked_out",
        "The change is not checked out",
        "What is in the work tree is not what the event is about, so a comparison would always look clean.",
        "Leave `ref` out of actions/checkout, or set it to the change's own commit.",
    ),
    Code(
        "core.shallow",
        "Clone too shallow",
        "The base commit is not in this clone and could not be fetched.",
        "Set `fetch-depth: 0` in actions/checkout.",
    ),
    Code(
        "core.unreadable_file",
        "File not readable",
        "A tracked file could not be read.",
        "Check its permissions; a submodule or sparse checkout must be checked out to be scanned.",
    ),
)

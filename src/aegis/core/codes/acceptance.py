"""Reasons of `aegis acceptance`."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "acceptance.catalogue_invalid",
        "Catalogue not understood",
        "A criterion that is misspelt would be one that nobody looks at.",
        "Correct the line that the message names; acceptance/catalogue.yml of Aegis shows every key.",
    ),
    Code(
        "acceptance.config_invalid",
        "Staging configuration not understood",
        "A value that is misspelt would leave a criterion without its endpoint, or point it at another one.",
        "Correct the line that the message names; docs/acceptance.md lists every key.",
    ),
    Code(
        "acceptance.unknown_name",
        "No such criterion or fault",
        "A run that leaves out what was asked for, without a word, would be green for nothing.",
        "Name criteria and faults as `aegis acceptance --mode plan` prints them.",
    ),
    Code(
        "acceptance.not_asked",
        "Criterion that nobody asked for",
        "`--only` looks at some criteria; the others are not known, which is no pass.",
        "Run without `--only`.",
    ),
    Code(
        "acceptance.planned_only",
        "Only planned",
        "A plan says what would be run; it has looked at nothing.",
        "Run with `--mode local` or `--mode staging`.",
    ),
    Code(
        "acceptance.precondition_missing",
        "Precondition missing",
        "A probe without its program or endpoint could see nothing; what was not run is no pass.",
        "Set or install what the message names.",
    ),
    Code(
        "acceptance.fault_unnoticed",
        "Planted fault not noticed",
        "A probe that is green with a fault in front of it would be green with every other fault too.",
        "Correct the probe, or what it asks: it has to see the fault that the catalogue plants.",
    ),
    Code(
        "acceptance.fault_misread",
        "Planted fault seen as something else",
        "A probe that fails for another reason than the fault proves nothing about the fault; a crash even less.",
        "Look at that probe's output, and at the reasons that the catalogue expects.",
    ),
    Code(
        "acceptance.probe_broken",
        "Probe without an answer",
        "Only a whole probe.json that fits the exit code is an answer; a killed or crashed probe has given none.",
        "Look at that probe's output.txt in the evidence folder; run it by hand with the command that is recorded.",
    ),
    Code(
        "acceptance.probe_timed_out",
        "Probe out of time",
        "What has not answered in time has not answered.",
        "Look at that probe's output.txt; give the criterion more time in the catalogue if the machine is slow.",
    ),
    Code(
        "acceptance.evidence_unfit",
        "Evidence that cannot be kept",
        "Links, devices and files without bounds cannot be handed over and hashed again elsewhere.",
        "Let the probe write regular files only, fewer or smaller ones.",
    ),
    Code(
        "acceptance.secret_in_evidence",
        "Secret in the evidence",
        "Evidence is kept for long and read by many; a secret in it is published.",
        "Change the secret, and let the probe leave it out; its files were removed.",
    ),
    Code(
        "acceptance.tree_changed",
        "Repository changed meanwhile",
        "Probes that saw two versions have accepted neither.",
        "Run it again in a clone that nobody works in.",
    ),
    Code(
        "acceptance.evidence_invalid",
        "Evidence not understood or contradicting itself",
        "A report that says more than its own probes do has been edited, or was written by something else.",
        "Run the acceptance again; keep the folder if you did not expect this.",
    ),
    Code(
        "acceptance.evidence_differs",
        "Evidence changed",
        "Files that are missing, added or changed are not what the run wrote.",
        "Take the folder from where it was stored first; treat the difference as tampering.",
    ),
    Code(
        "acceptance.not_accepted",
        "Not all criteria accepted",
        "The evidence is whole, and it says that something was refused, left out, planted or not committed.",
        "Look at summary.md in the folder, and run the acceptance of the whole catalogue on a commit.",
    ),
)

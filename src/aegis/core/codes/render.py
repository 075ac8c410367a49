"""Reasons of `aegis render`: values of the chart from what Terraform has made."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "render.outputs_unreadable",
        "Outputs not understood",
        "Values that are guessed from half an answer would install something else than what was made.",
        "Name a folder in which `terraform apply` has run, or what `terraform output -json` has printed there.",
    ),
    Code(
        "render.terraform_failed",
        "Terraform does not answer",
        "Outputs are in the state, which Terraform or OpenTofu alone can read.",
        "Run `terraform init` and `terraform output -json` in that folder, and do what they say.",
    ),
    Code(
        "render.output_missing",
        "Output missing or empty",
        "A chart without its bucket or database would start, and fail where nobody looks.",
        "Apply the overlay; where it is your own, give it the output that the message names.",
    ),
    Code(
        "render.output_sensitive",
        "Secret among the values",
        "Values lie in a repository and in the release, in plain text; a secret in them is published.",
        "Leave secrets to a Secret or to External Secrets; the overlay's database_url carries no password.",
    ),
    Code(
        "render.output_invalid",
        "Output of another kind",
        "What is no bucket, region, address or role would be refused later, by something that says less.",
        "Correct the overlay; the message names the output and what it should be.",
    ),
    Code(
        "render.cloud_differs",
        "Outputs of another cloud",
        "A release that is half of one cloud and half of another reads from neither.",
        "Name the values file of the cloud that the outputs are of.",
    ),
    Code(
        "render.values_unfit",
        "Values file without the place",
        "Only keys that are there are filled, so that everything else stays as people wrote it.",
        'Write the key that the message names into the file, with "" as its value; helm/values.aws.yaml has them all.',
    ),
)

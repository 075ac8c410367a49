# What each user may do: the least that the gates ask for (docs/verify.md, docs/backup.md,
# docs/evidence.md). Listing is not bound to a prefix in OCI, so OBJECT_INSPECT is for the bucket and the rest for the prefix.

locals {
  in_compartment = "in compartment id ${var.compartment_id}"
  models         = "target.bucket.name = '${module.models.bucket}'"
  backups        = "target.bucket.name = '${module.backups.bucket}'"
  evidence       = "target.bucket.name = '${module.evidence.bucket}'"
  list           = "request.permission = 'OBJECT_INSPECT'"
  get_backup     = "all {request.permission = 'OBJECT_READ', target.object.name = '${var.backup_prefix}*'}"

  may = {
    read_models = [
      "read objects ${local.in_compartment} where all {${local.models}, any {${local.list}, target.object.name = '${local.model_prefix}*'}}",
    ]

    # It cannot write that a restore has passed.
    write_backups = [
      "manage objects ${local.in_compartment} where all {${local.backups}, any {${join(", ", concat([local.list, local.get_backup], [
        for one in var.backup_databases :
        "all {any {request.permission = 'OBJECT_CREATE', request.permission = 'OBJECT_OVERWRITE', request.permission = 'OBJECT_DELETE'}, target.object.name = '${var.backup_prefix}${one}/*'}"
      ]))}}}",
    ]

    # It writes nothing but what was proven.
    read_backups = [
      "manage objects ${local.in_compartment} where all {${local.backups}, any {${local.list}, ${local.get_backup}, all {request.permission = 'OBJECT_CREATE', target.object.name = '${var.backup_prefix}_records/*'}}}",
    ]

    # It finds the clusters, and reads the signed verdicts of the image.
    judge_canary = [
      "read objects ${local.in_compartment} where all {${local.evidence}, any {${local.list}, target.object.name = '${var.verdict_prefix}*'}}",
      "use clusters ${local.in_compartment} where all {request.permission = 'CLUSTER_USE'}",
    ]

    # It replaces and removes none.
    keep_verdicts = [
      "manage objects ${local.in_compartment} where all {${local.evidence}, any {${local.list}, all {any {request.permission = 'OBJECT_READ', request.permission = 'OBJECT_CREATE'}, target.object.name = '${var.verdict_prefix}*'}}}",
    ]

    # External Secrets asks a vault by name.
    # https://docs.oracle.com/iaas/Content/Identity/Reference/keypolicyreference.htm
    read_secrets = [
      "read secret-bundles ${local.in_compartment} where all {any {${join(", ", [
        for name in concat([module.database.secret_name], var.secrets) : "target.secret.name = '${name}'"
      ])}}}",
    ]
  }
}

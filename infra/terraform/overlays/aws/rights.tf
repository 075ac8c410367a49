# What each role may do: the least that the gates ask for (docs/verify.md, docs/backup.md,
# docs/evidence.md).

locals {
  models   = "arn:${local.partition}:s3:::${module.models.bucket}"
  backups  = "arn:${local.partition}:s3:::${module.backups.bucket}"
  evidence = "arn:${local.partition}:s3:::${module.evidence.bucket}"
  records  = "${var.backup_prefix}_records/"

  decrypt  = var.production ? [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = [local.key_arn] }] : []
  generate = var.production ? [{ Effect = "Allow", Action = ["kms:GenerateDataKey"], Resource = [local.key_arn] }] : []

  read_backups = [
    {
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = ["${local.backups}/${var.backup_prefix}*"]
    },
    {
      Effect    = "Allow"
      Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource  = [local.backups]
      Condition = { StringLike = { "s3:prefix" = ["${var.backup_prefix}*"] } }
    },
    { Effect = "Allow", Action = ["s3:GetBucketLocation"], Resource = [local.backups] },
  ]

  read_verdicts = [
    {
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = ["${local.evidence}/${var.verdict_prefix}*"]
    },
    {
      Effect    = "Allow"
      Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource  = [local.evidence]
      Condition = { StringLike = { "s3:prefix" = ["${var.verdict_prefix}*"] } }
    },
    { Effect = "Allow", Action = ["s3:GetBucketLocation"], Resource = [local.evidence] },
  ]

  may = {
    for name, statements in {
      read_models = concat([
        {
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:GetObjectVersion"]
          Resource = ["${local.models}/${local.model_prefix}*"]
        },
        {
          Effect    = "Allow"
          Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
          Resource  = [local.models]
          Condition = { StringLike = { "s3:prefix" = ["${local.model_prefix}*"] } }
        },
        { Effect = "Allow", Action = ["s3:GetBucketLocation"], Resource = [local.models] },
      ], local.decrypt)

      # It cannot write that a restore has passed, and it destroys no version of an older backup.
      write_backups = concat(local.read_backups, [
        {
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]
          Resource = [for one in var.backup_databases : "${local.backups}/${var.backup_prefix}${one}/*"]
        },
        { Effect = "Allow", Action = ["s3:ListBucketMultipartUploads"], Resource = [local.backups] },
      ], local.decrypt, local.generate)

      # It writes nothing but what was proven.
      read_backups = concat(local.read_backups, [
        { Effect = "Allow", Action = ["s3:PutObject"], Resource = ["${local.backups}/${local.records}*"] },
      ], local.decrypt, local.generate)

      # It finds the cluster, asks Prometheus, and reads the signed verdicts of the image.
      judge_canary = concat(
        local.read_verdicts,
        [for arn in var.cluster_arns : { Effect = "Allow", Action = ["eks:DescribeCluster"], Resource = [arn] }],
        [for arn in var.prometheus_workspace_arns : {
          Effect   = "Allow"
          Action   = ["aps:QueryMetrics", "aps:GetMetricMetadata", "aps:GetSeries", "aps:GetLabels"]
          Resource = [arn]
        }],
        local.decrypt,
      )

      # It stores verdicts and holds them fast; it shortens no such day, and removes none.
      keep_verdicts = concat(local.read_verdicts, [
        {
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:PutObjectRetention", "s3:GetObjectRetention"]
          Resource = ["${local.evidence}/${var.verdict_prefix}*"]
        },
        { Effect = "Allow", Action = ["s3:ListBucketMultipartUploads"], Resource = [local.evidence] },
      ], local.decrypt, local.generate)
    } : name => jsonencode({ Version = "2012-10-17", Statement = statements })
  }
}

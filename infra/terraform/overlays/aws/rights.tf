# What each role may do: the least that the gates ask for (docs/verify.md, docs/backup.md,
# docs/evidence.md).

locals {
  models   = "arn:${local.partition}:s3:::${module.models.bucket}"
  backups  = "arn:${local.partition}:s3:::${module.backups.bucket}"
  evidence = "arn:${local.partition}:s3:::${module.evidence.bucket}"
  records  = "${var.backup_prefix}_records/"

  decrypt  = var.production ? [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = [local.key_arn] }] : []
  generate = var.production ? [{ Effect = "Allow", Action = ["kms:GenerateDataKey"], Resource = [local.key_arn] }] : []

  # The database's password, and what people put beside it: an ARN ends in a hyphen and six characters that nobody
  # chooses. https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples.html
  secrets = concat([module.database.secret_arn], [
    for name in var.secrets : "arn:${local.partition}:secretsmanager:${var.region}:${local.account}:secret:${name}-??????"
  ])

  # Reading is the same everywhere: below one prefix of one bucket, old versions included.
  read = {
    for what, place in {
      models   = { bucket = local.models, prefix = local.model_prefix }
      backups  = { bucket = local.backups, prefix = var.backup_prefix }
      verdicts = { bucket = local.evidence, prefix = var.verdict_prefix }
      } : what => [
      { Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"], Resource = ["${place.bucket}/${place.prefix}*"] },
      {
        Effect    = "Allow"
        Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
        Resource  = [place.bucket]
        Condition = { StringLike = { "s3:prefix" = ["${place.prefix}*"] } }
      },
      { Effect = "Allow", Action = ["s3:GetBucketLocation"], Resource = [place.bucket] },
    ]
  }

  may = {
    for name, statements in {
      read_models = concat(local.read.models, local.decrypt)

      # It cannot write that a restore has passed, and it destroys no version of an older backup.
      write_backups = concat(local.read.backups, [
        {
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]
          Resource = [for one in var.backup_databases : "${local.backups}/${var.backup_prefix}${one}/*"]
        },
        { Effect = "Allow", Action = ["s3:ListBucketMultipartUploads"], Resource = [local.backups] },
      ], local.decrypt, local.generate)

      # It writes nothing but what was proven.
      read_backups = concat(local.read.backups, [
        { Effect = "Allow", Action = ["s3:PutObject"], Resource = ["${local.backups}/${local.records}*"] },
      ], local.decrypt, local.generate)

      # It finds the cluster, asks Prometheus, and reads the signed verdicts of the image.
      judge_canary = concat(
        local.read.verdicts,
        [for arn in var.cluster_arns : { Effect = "Allow", Action = ["eks:DescribeCluster"], Resource = [arn] }],
        [for arn in var.prometheus_workspace_arns : {
          Effect   = "Allow"
          Action   = ["aps:QueryMetrics", "aps:GetMetricMetadata", "aps:GetSeries", "aps:GetLabels"]
          Resource = [arn]
        }],
        local.decrypt,
      )

      # It stores verdicts and holds them fast; it shortens no such day, and removes none.
      keep_verdicts = concat(local.read.verdicts, [
        {
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:PutObjectRetention", "s3:GetObjectRetention"]
          Resource = ["${local.evidence}/${var.verdict_prefix}*"]
        },
        { Effect = "Allow", Action = ["s3:ListBucketMultipartUploads"], Resource = [local.evidence] },
      ], local.decrypt, local.generate)

      # It decrypts nothing else that is under the key: neither models nor backups.
      # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
      read_secrets = concat(
        [{ Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = local.secrets }],
        [for right in local.decrypt : merge(right, {
          Condition = { StringLike = { "kms:EncryptionContext:SecretARN" = local.secrets } }
        })],
      )
    } : name => jsonencode({ Version = "2012-10-17", Statement = statements })
  }
}

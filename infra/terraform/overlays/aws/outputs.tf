# The same names in every overlay; `aegis render values` reads them. None holds a secret.

output "cloud" {
  description = "Which overlay this is."
  value       = "aws"
}

output "region" {
  description = "Where everything stands."
  value       = var.region
}

output "bucket_name" {
  description = "The bucket of the models."
  value       = module.models.bucket
}

output "database_url" {
  description = "Where the database is, without a password."
  value       = module.database.url
}

output "database_secret_ref" {
  description = "Name of the secret in Secrets Manager that holds the password."
  value       = module.database.secret_name
}

output "models_url" {
  description = "Below which models are read."
  value       = "s3://${module.models.bucket}/${local.model_prefix}"
}

output "backups_url" {
  description = "`store` of aegis.backup.yml."
  value       = "s3://${module.backups.bucket}/${var.backup_prefix}"
}

output "evidence_url" {
  description = "`evidence.store` of aegis.yml."
  value       = "s3://${module.evidence.bucket}/${var.verdict_prefix}"
}

output "workload_role_arn" {
  description = "Role of the API's pods: reads models."
  value       = module.workload_identity.role_arns["api"]
}

output "backup_writer_role_arn" {
  description = "Role of the job that takes backups."
  value       = module.workload_identity.role_arns["backup-writer"]
}

output "backup_reader_role_arn" {
  description = "Role of the job that restores backups on trial."
  value       = module.workload_identity.role_arns["backup-reader"]
}

output "secrets_role_arn" {
  description = "Role by which External Secrets reads the service's secrets: for the annotation of its service account. None without `cluster_oidc_issuer`."
  value       = lookup(module.workload_identity.role_arns, "secrets", null)
}

output "role_arn" {
  description = "AWS_ROLE_TO_ASSUME of the environment `github.environment`: the verify gate."
  value       = one(module.ci_oidc[*].role_arns["verify"])
}

output "drill_role_arn" {
  description = "AWS_ROLE_TO_ASSUME of the environment `github.drill_environment`: the backup-check gate."
  value       = one(module.ci_oidc[*].role_arns["drill"])
}

output "canary_role_arn" {
  description = "AWS_ROLE_TO_ASSUME of the environment `github.deploy_environment`: the canary gate."
  value       = one(module.ci_oidc[*].role_arns["canary"])
}

output "evidence_role_arn" {
  description = "AWS_ROLE_TO_ASSUME of the environment `github.evidence_environment`: the job that signs and keeps verdicts."
  value       = one(module.ci_oidc[*].role_arns["evidence"])
}

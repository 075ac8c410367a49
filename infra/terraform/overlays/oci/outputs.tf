# The same names in every overlay; `aegis render values` reads them. None holds a secret.

output "cloud" {
  description = "Which overlay this is."
  value       = "oci"
}

output "region" {
  description = "Where everything stands."
  value       = var.region
}

output "bucket_name" {
  description = "The bucket of the models."
  value       = module.models.bucket
}

output "bucket_namespace" {
  description = "Object storage namespace of the tenancy. No other overlay has one."
  value       = local.storage
}

output "database_url" {
  description = "Where the database is, without a password."
  value       = module.database.url
}

output "database_secret_ref" {
  description = "Name of the secret in the vault that holds the password."
  value       = module.database.secret_name
}

output "models_url" {
  description = "Below which models are read."
  value       = "oci://${local.storage}/${module.models.bucket}/${local.model_prefix}"
}

output "backups_url" {
  description = "`store` of aegis.backup.yml."
  value       = "oci://${local.storage}/${module.backups.bucket}/${var.backup_prefix}"
}

output "evidence_url" {
  description = "`evidence.store` of aegis.yml."
  value       = "oci://${local.storage}/${module.evidence.bucket}/${var.verdict_prefix}"
}

output "workload_role_arn" {
  description = "Policy of the API's pods: they read models."
  value       = one(module.workload_identity[*].policy_ids["api"])
}

output "backup_writer_role_arn" {
  description = "Policy of the job that takes backups."
  value       = one(module.workload_identity[*].policy_ids["backup-writer"])
}

output "backup_reader_role_arn" {
  description = "Policy of the job that restores backups on trial."
  value       = one(module.workload_identity[*].policy_ids["backup-reader"])
}

output "secrets_role_arn" {
  description = "Policy by which External Secrets reads the service's secrets."
  value       = one(module.workload_identity[*].policy_ids["secrets"])
}

output "role_arn" {
  description = "Service user that a job in the environment `github.environment` becomes: the verify gate."
  value       = one(module.ci_oidc[*].user_ids["verify"])
}

output "drill_role_arn" {
  description = "Service user that a job in the environment `github.drill_environment` becomes: the backup-check gate."
  value       = one(module.ci_oidc[*].user_ids["drill"])
}

output "canary_role_arn" {
  description = "Service user that a job in the environment `github.deploy_environment` becomes: the canary gate."
  value       = one(module.ci_oidc[*].user_ids["canary"])
}

output "evidence_role_arn" {
  description = "Service user that a job in the environment `github.evidence_environment` becomes: it signs and keeps verdicts."
  value       = one(module.ci_oidc[*].user_ids["evidence"])
}

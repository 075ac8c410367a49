# Aegis in AWS: staging as it stands, production by one variable.

provider "aws" {
  region = var.region
  default_tags {
    tags = merge({ Project = var.name, Environment = local.environment }, var.tags)
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_availability_zones" "available" {
  state = "available"
}

locals {
  environment   = var.production ? "production" : "staging"
  name          = "${var.name}-${local.environment}"
  account       = data.aws_caller_identity.current.account_id
  partition     = data.aws_partition.current.partition
  model_prefix  = coalesce(var.model_prefix, "${local.environment}/")
  key_arn       = one(aws_kms_key.this[*].arn)
  own_network   = var.network == null
  vpc_id        = local.own_network ? module.network[0].vpc_id : var.network.vpc_id
  subnet_ids    = local.own_network ? module.network[0].subnet_ids : var.network.subnet_ids
  clients       = local.own_network ? concat([module.network[0].cidr], var.database_clients) : var.database_clients
  zones         = slice(sort(data.aws_availability_zones.available.names), 0, var.production ? 3 : 2)
  in_production = var.production ? 1 : 0
}

# Production is another state. Here a name that changes would replace the buckets and the database, so it is refused.
resource "terraform_data" "name" {
  input = local.name
  lifecycle {
    ignore_changes = [input]
    postcondition {
      condition     = self.output == local.name
      error_message = "This state is of ${self.output}: ${local.name} is another deployment, with a state of its own. Use another backend key or workspace."
    }
  }
}

# Staging uses the services' own keys; in production every bit is under a key of this deployment.
resource "aws_kms_key" "this" {
  count                   = local.in_production
  description             = "Data of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aegis/${local.name}/*"
          }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  count         = local.in_production
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this[0].key_id
}

module "network" {
  source      = "../../modules/aws/network"
  count       = local.own_network ? 1 : 0
  name        = local.name
  region      = var.region
  account     = local.account
  cidr        = var.vpc_cidr
  zones       = local.zones
  flow_logs   = var.production
  kms_key_arn = local.key_arn
}

module "models" {
  source             = "../../modules/aws/object-store"
  bucket             = "${local.name}-models-${local.account}"
  kms_key_arn        = local.key_arn
  keep_versions_days = var.production ? 90 : 14
  force_destroy      = !var.production
}

module "backups" {
  source             = "../../modules/aws/object-store"
  bucket             = "${local.name}-backups-${local.account}"
  kms_key_arn        = local.key_arn
  keep_versions_days = var.production ? 90 : 14
  force_destroy      = false # what a restore needs goes by nobody's mistake
}

# Verdicts outlive the runs that signed them: none is removed before the day that its writer names.
module "evidence" {
  source             = "../../modules/aws/object-store"
  bucket             = "${local.name}-evidence-${local.account}"
  kms_key_arn        = local.key_arn
  keep_versions_days = 400 # a verdict that somebody hid is missed only as long as its version is there
  force_destroy      = false
  object_lock        = true
}

module "database" {
  source           = "../../modules/aws/database"
  name             = local.name
  production       = var.production
  vpc_id           = local.vpc_id
  subnet_ids       = local.subnet_ids
  clients          = local.clients
  engine_major     = var.postgresql_major
  instance_class   = coalesce(var.database_instance_class, var.production ? "db.m7g.large" : "db.t4g.small")
  storage_gb       = var.production ? 100 : 20
  database         = "aegis"
  user             = "aegis"
  password         = var.db_password
  password_version = var.db_password_version
  backup_days      = var.production ? 30 : 7
  kms_key_arn      = local.key_arn
}

module "workload_identity" {
  source               = "../../modules/aws/workload-identity"
  name                 = local.name
  account              = local.account
  partition            = local.partition
  cluster_oidc_issuer  = var.cluster_oidc_issuer
  cluster_arns         = var.cluster_arns
  namespace            = var.namespace
  permissions_boundary = var.permissions_boundary
  roles = merge(
    {
      api           = { service_account = var.service_accounts.api, policy = local.may.read_models }
      backup-writer = { service_account = var.service_accounts.backup_writer, policy = local.may.write_backups }
      backup-reader = { service_account = var.service_accounts.backup_reader, policy = local.may.read_backups }
    },
    # External Secrets asks by a token of the service account, and by Pod Identity only for its own: without an issuer
    # nobody could take the role. https://github.com/external-secrets/external-secrets/issues/2951
    {
      for _ in var.cluster_oidc_issuer[*] : "secrets" => {
        service_account = var.service_accounts.secrets
        policy          = local.may.read_secrets
        pod_identity    = false
      }
    },
  )
}

module "ci_oidc" {
  source               = "../../modules/aws/ci-oidc"
  count                = var.github == null ? 0 : 1
  name                 = "${local.name}-github"
  account              = local.account
  partition            = local.partition
  create_provider      = var.github.create_provider
  repository           = var.github.repository
  owner_id             = var.github.owner_id
  repository_id        = var.github.repository_id
  permissions_boundary = var.permissions_boundary
  roles = {
    verify = { environment = var.github.environment, policy = local.may.read_models, ref = null, workflow = null }
    drill = {
      environment = var.github.drill_environment
      policy      = local.may.read_backups
      ref         = "refs/heads/${var.github.branch}"
      workflow    = "backup-check.yml"
    }
    canary = {
      environment = var.github.deploy_environment
      policy      = local.may.judge_canary
      ref         = "refs/heads/${var.github.branch}"
      workflow    = "canary.yml"
    }
    evidence = {
      environment = var.github.evidence_environment
      policy      = local.may.keep_verdicts
      ref         = "refs/heads/${var.github.branch}"
      workflow    = "aegis.yml"
    }
  }
}

check "github" {
  assert {
    condition     = var.github != null
    error_message = "No repository may take a role: role_arn, drill_role_arn, canary_role_arn and evidence_role_arn are missing. Set `github` in terraform.tfvars (see terraform.tfvars.example)."
  }
}

check "cluster_arns" {
  assert {
    condition     = length(var.cluster_arns) > 0
    error_message = "Pods of every EKS cluster of the account with these service accounts may take the roles. Name yours in `cluster_arns`."
  }
}

# Aegis in Oracle Cloud: staging as it stands, production by one variable.

provider "oci" {
  region = var.region
}

data "oci_objectstorage_namespace" "this" {
  compartment_id = var.compartment_id
}

locals {
  environment  = var.production ? "production" : "staging"
  name         = "${var.name}-${local.environment}"
  storage      = data.oci_objectstorage_namespace.this.namespace
  model_prefix = coalesce(var.model_prefix, "${local.environment}/")
  own_network  = var.network == null
  vcn_id       = local.own_network ? module.network[0].vcn_id : var.network.vcn_id
  subnet_id    = local.own_network ? module.network[0].subnet_id : var.network.subnet_id
  clients      = local.own_network ? concat([module.network[0].cidr], var.database_clients) : var.database_clients
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

resource "oci_kms_vault" "this" {
  compartment_id = var.compartment_id
  display_name   = local.name
  vault_type     = "DEFAULT"
}

resource "oci_kms_key" "this" {
  compartment_id           = var.compartment_id
  display_name             = local.name
  management_endpoint      = oci_kms_vault.this.management_endpoint
  protection_mode          = var.production ? "HSM" : "SOFTWARE"
  is_auto_rotation_enabled = false # in vaults of type DEFAULT a new version is made by hand
  key_shape {
    algorithm = "AES"
    length    = 32
  }
}

# Object storage encrypts by the key, and removes old versions, in its own name.
resource "oci_identity_policy" "object_storage" {
  compartment_id = var.compartment_id
  name           = "${local.name}-object-storage"
  description    = "What object storage does for the buckets of ${local.name}"
  statements = [
    "Allow service objectstorage-${var.region} to use keys in compartment id ${var.compartment_id} where target.key.id = '${oci_kms_key.this.id}'",
    "Allow service objectstorage-${var.region} to manage object-family in compartment id ${var.compartment_id} where any {target.bucket.name = '${local.name}-models', target.bucket.name = '${local.name}-backups', target.bucket.name = '${local.name}-evidence'}",
  ]
}

module "network" {
  source         = "../../modules/oci/network"
  count          = local.own_network ? 1 : 0
  compartment_id = var.compartment_id
  name           = local.name
  cidr           = var.vpc_cidr
  flow_logs      = var.production
}

module "models" {
  source             = "../../modules/oci/object-store"
  compartment_id     = var.compartment_id
  namespace          = local.storage
  bucket             = "${local.name}-models"
  kms_key_id         = oci_kms_key.this.id
  keep_versions_days = var.production ? 90 : 14
  depends_on         = [oci_identity_policy.object_storage]
}

module "backups" {
  source             = "../../modules/oci/object-store"
  compartment_id     = var.compartment_id
  namespace          = local.storage
  bucket             = "${local.name}-backups"
  kms_key_id         = oci_kms_key.this.id
  keep_versions_days = var.production ? 90 : 14
  depends_on         = [oci_identity_policy.object_storage]
}

# It keeps versions, so that a verdict that was removed is missed; OCI takes no retention rule for such a bucket.
# https://docs.oracle.com/iaas/Content/Object/Tasks/usingversioning.htm
module "evidence" {
  source             = "../../modules/oci/object-store"
  compartment_id     = var.compartment_id
  namespace          = local.storage
  bucket             = "${local.name}-evidence"
  kms_key_id         = oci_kms_key.this.id
  keep_versions_days = 400 # a verdict that somebody removed is missed only as long as its version is there
  depends_on         = [oci_identity_policy.object_storage]
}

module "database" {
  source              = "../../modules/oci/database"
  compartment_id      = var.compartment_id
  name                = local.name
  production          = var.production
  vault_id            = oci_kms_vault.this.id
  kms_key_id          = oci_kms_key.this.id
  vcn_id              = local.vcn_id
  subnet_id           = local.subnet_id
  availability_domain = var.availability_domain
  clients             = local.clients
  engine_major        = var.postgresql_major
  shape               = var.database_shape
  ocpus               = var.production ? 4 : 2
  user                = "aegis"
  backup_days         = var.production ? 30 : 7
}

module "workload_identity" {
  source         = "../../modules/oci/workload-identity"
  count          = var.cluster_id == null ? 0 : 1
  compartment_id = var.compartment_id
  name           = local.name
  cluster_id     = var.cluster_id
  namespace      = var.namespace
  roles = {
    api           = { service_account = var.service_accounts.api, rights = local.may.read_models }
    backup-writer = { service_account = var.service_accounts.backup_writer, rights = local.may.write_backups }
    backup-reader = { service_account = var.service_accounts.backup_reader, rights = local.may.read_backups }
    secrets       = { service_account = var.service_accounts.secrets, rights = local.may.read_secrets }
  }
}

module "ci_oidc" {
  source         = "../../modules/oci/ci-oidc"
  count          = var.github == null ? 0 : 1
  compartment_id = var.compartment_id
  name           = "${local.name}-github"
  domain_url     = var.github.domain_url
  domain_name    = var.github.domain_name
  client_id      = var.github.client_id
  audience       = var.github.audience
  repository     = var.github.repository
  owner_id       = var.github.owner_id
  repository_id  = var.github.repository_id
  subject_forms  = var.github.subject_forms
  roles = {
    verify   = { environment = var.github.environment, rights = local.may.read_models }
    drill    = { environment = var.github.drill_environment, rights = local.may.read_backups }
    canary   = { environment = var.github.deploy_environment, rights = local.may.judge_canary }
    evidence = { environment = var.github.evidence_environment, rights = local.may.keep_verdicts }
  }
}

check "github" {
  assert {
    condition     = var.github != null
    error_message = "No repository may become a user: role_arn is missing. Set `github` in terraform.tfvars (see terraform.tfvars.example)."
  }
}

check "db_password" {
  assert {
    condition     = var.db_password == null
    error_message = "db_password is not used: the vault made the password, and database_secret_ref names it."
  }
}

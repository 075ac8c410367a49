variable "compartment_id" {
  description = "Compartment of everything."
  type        = string
  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.[a-z0-9.-]+$", var.compartment_id))
    error_message = "compartment_id must be an OCID, ocid1.compartment.…"
  }
}

variable "db_password" {
  description = "Not used: OCI's provider would keep it in the state, so the vault makes the password (database_secret_ref). It is here so that one command applies every overlay."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}

variable "production" {
  description = "A second instance, keys in hardware, flow logs, 30 days of backups. In a state of its own: it makes staging no production."
  type        = bool
  default     = false
}

variable "name" {
  description = "What every name starts with."
  type        = string
  default     = "aegis"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 22 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Where everything stands."
  type        = string
  default     = "eu-frankfurt-1"
}

variable "availability_domain" {
  description = "In regions with one availability domain, its name; null: the storage stands in several."
  type        = string
  default     = null
}

variable "vpc_cidr" {
  description = "Addresses of the network that is made."
  type        = string
  default     = "10.40.0.0/16"
}

variable "network" {
  description = "A network that exists, such as the cluster's: its id and a private subnet. Null: one is made."
  type = object({
    vcn_id    = string
    subnet_id = string
  })
  default = null
}

variable "database_clients" {
  description = "IPv4 ranges from which the database is reached, beside the network that is made. With `network`, at least one."
  type        = list(string)
  default     = []
}

variable "postgresql_major" {
  description = "Major version of PostgreSQL."
  type        = string
  default     = "16"
  validation {
    condition     = contains(["14", "15", "16"], var.postgresql_major)
    error_message = "postgresql_major must be one that OCI offers and Aegis backs up: 14 to 16."
  }
}

variable "database_shape" {
  description = "Shape of the database."
  type        = string
  default     = "PostgreSQL.VM.Standard.E4.Flex"
}

variable "model_prefix" {
  description = "Below which models are read; null: the environment's name and a slash."
  type        = string
  default     = null
  validation {
    condition     = var.model_prefix == null ? true : can(regex("^[A-Za-z0-9_.-][A-Za-z0-9_./-]*/$", var.model_prefix))
    error_message = "model_prefix must end in a slash and hold no wildcards: else a role would read more than it."
  }
}

variable "verdict_prefix" {
  description = "Below which signed verdicts stand in their bucket, as `evidence.store` in aegis.yml says."
  type        = string
  default     = "verdicts/"
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-][A-Za-z0-9_./-]*/$", var.verdict_prefix))
    error_message = "verdict_prefix must end in a slash and hold no wildcards: else a role would read more than it."
  }
}

variable "backup_prefix" {
  description = "Below which backups stand, as `store` in aegis.backup.yml says."
  type        = string
  default     = "postgresql/"
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-][A-Za-z0-9_./-]*/$", var.backup_prefix))
    error_message = "backup_prefix must end in a slash and hold no wildcards: else a role would read more than it."
  }
}

variable "backup_databases" {
  description = "Names of the databases in aegis.backup.yml: the writer may write below these only."
  type        = list(string)
  default     = ["aegis"]
  validation {
    condition     = length(var.backup_databases) > 0 && alltrue([for one in var.backup_databases : can(regex("^[a-z0-9][a-z0-9_-]*$", one))])
    error_message = "backup_databases must be names of databases in aegis.backup.yml."
  }
}

variable "namespace" {
  description = "Namespace of the chart."
  type        = string
  default     = "aegis"
}

variable "service_accounts" {
  description = "Service accounts of the API, of the jobs that write and that restore backups, and of External Secrets' store."
  type = object({
    api           = optional(string, "aegis")
    backup_writer = optional(string, "aegis-backup")
    backup_reader = optional(string, "aegis-restore")
    secrets       = optional(string, "aegis-secrets")
  })
  default = {}
}

variable "secrets" {
  description = "Names of the secrets in the vault that External Secrets reads beside the database's password. You make them."
  type        = list(string)
  default     = ["aegis-audit", "aegis-cosign"]
  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[A-Za-z0-9_.-]{1,255}$", name))])
    error_message = "secrets must be names of secrets: letters, digits, hyphens, underscores and periods, and no wildcards."
  }
}

variable "cluster_id" {
  description = "OCID of the cluster whose pods get rights; null: none do."
  type        = string
  default     = null
}

variable "github" {
  description = "The repository whose jobs become users. Ids: gh api repos/OWNER/NAME --jq '.owner.id, .id'"
  type = object({
    repository           = string
    owner_id             = string
    repository_id        = string
    domain_url           = string
    client_id            = string
    domain_name          = optional(string, "Default")
    audience             = optional(string, "https://cloud.oracle.com")
    environment          = optional(string, "staging")
    drill_environment    = optional(string, "drill")
    deploy_environment   = optional(string, "production")
    evidence_environment = optional(string, "evidence")
    subject_forms        = optional(list(string), ["name", "ids"])
  })
  default = null
  validation {
    # GitHub tells no cases apart. The last four hold more than a gate needs.
    condition = var.github == null ? true : length(distinct(concat(
      [for one in [var.github.environment, var.github.drill_environment, var.github.deploy_environment, var.github.evidence_environment] : lower(one)],
      ["backup", "release", "terraform-plan", "terraform-apply"],
    ))) == 8
    error_message = "environment, drill_environment, deploy_environment and evidence_environment must differ, and be none of backup, release, terraform-plan and terraform-apply: who is in one takes its roles."
  }
}

variable "db_password" {
  description = "Password of the database's master user. It is kept in neither state nor plan; the database and Secrets Manager hold it."
  type        = string
  sensitive   = true
  ephemeral   = true
  validation {
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateDBInstance.html
    condition     = can(regex("^[!#-.0-?A-~]{16,128}$", var.db_password))
    error_message = "db_password must have 16 to 128 printable ASCII characters, without space, quotation mark, slash and at sign."
  }
}

variable "db_password_version" {
  description = "Raise it by one together with a new db_password: nothing else tells that it is new."
  type        = number
  default     = 1
}

variable "production" {
  description = "Three zones, a key of one's own, flow logs, a standby, protection against deletion, 30 days of backups. In a state of its own: it makes staging no production."
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
  default     = "eu-central-1"
}

variable "tags" {
  description = "More tags for everything."
  type        = map(string)
  default     = {}
}

variable "vpc_cidr" {
  description = "Addresses of the network that is made."
  type        = string
  default     = "10.40.0.0/16"
}

variable "network" {
  description = "A network that exists, such as the cluster's: its id, and private subnets in at least two zones. Null: one is made."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
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
  default     = "17"
  validation {
    condition     = contains(["14", "15", "16", "17", "18"], var.postgresql_major)
    error_message = "postgresql_major must be one that Aegis backs up: 14 to 18."
  }
}

variable "database_instance_class" {
  description = "Size of the database; null: db.t4g.small, in production db.m7g.large."
  type        = string
  default     = null
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
  description = "Names of the secrets in Secrets Manager that External Secrets reads beside the database's password. You make them."
  type        = list(string)
  default     = ["aegis-audit", "aegis-cosign"]
  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", name))])
    error_message = "secrets must be names of secrets: letters, digits and /_+=.@-, and no wildcards."
  }
}

variable "cluster_oidc_issuer" {
  description = "OIDC issuer of the cluster without https://: for clusters without EKS Pod Identity, and everywhere for External Secrets, which needs it. IAM must know it as a provider."
  type        = string
  default     = null
}

variable "cluster_arns" {
  description = "EKS clusters: only their pods take roles by Pod Identity, and the canary role may ask for their address."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.cluster_arns : can(regex("^arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9][A-Za-z0-9_-]*$", arn))])
    error_message = "cluster_arns must be ARNs of EKS clusters without wildcards: arn:aws:eks:REGION:ACCOUNT:cluster/NAME."
  }
}

variable "prometheus_workspace_arns" {
  description = "Workspaces of Amazon Managed Prometheus that the canary role may ask."
  type        = list(string)
  default     = []
}

variable "github" {
  description = "The repository whose jobs take roles. Ids: gh api repos/OWNER/NAME --jq '.owner.id, .id'"
  type = object({
    repository           = string
    owner_id             = string
    repository_id        = string
    environment          = optional(string, "staging")
    drill_environment    = optional(string, "drill")
    deploy_environment   = optional(string, "production")
    evidence_environment = optional(string, "evidence")
    branch               = optional(string, "main")
    create_provider      = optional(bool, true)
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

variable "permissions_boundary" {
  description = "ARN of a policy that no role here may exceed."
  type        = string
  default     = null
}

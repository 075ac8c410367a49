variable "name" {
  description = "Name of the instance, and what other names start with."
  type        = string
}

variable "production" {
  description = "Two zones, protection against deletion, a last snapshot, performance insights."
  type        = bool
}

variable "vpc_id" {
  description = "Network of the database."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in at least two zones."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name subnets in at least two zones."
  }
}

variable "clients" {
  description = "IPv4 ranges from which the database is reached."
  type        = list(string)
  validation {
    condition     = length(var.clients) > 0 && alltrue([for one in var.clients : can(cidrnetmask(one)) && !endswith(one, "/0")])
    error_message = "clients must be IPv4 ranges such as 10.40.0.0/16, and never all addresses."
  }
}

variable "engine_major" {
  description = "Major version of PostgreSQL."
  type        = string
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string
}

variable "storage_gb" {
  description = "Gigabytes at first; storage grows by itself to five times that."
  type        = number
}

variable "database" {
  description = "Name of the database."
  type        = string
}

variable "user" {
  description = "The master user."
  type        = string
}

variable "password" {
  description = "Password of the master user: kept in neither plan nor state."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "password_version" {
  description = "Raise it by one so that a new password is set."
  type        = number
}

variable "backup_days" {
  description = "Days for which the service's own backups are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key for storage and secret; null: the services' own."
  type        = string
}

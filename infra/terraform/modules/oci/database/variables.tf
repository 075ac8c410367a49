variable "compartment_id" {
  description = "Compartment of everything here."
  type        = string
}

variable "name" {
  description = "Name of the system, and what other names start with."
  type        = string
}

variable "production" {
  description = "A second instance that takes over."
  type        = bool
}

variable "vault_id" {
  description = "Vault of the password."
  type        = string
}

variable "kms_key_id" {
  description = "Key that encrypts the password."
  type        = string
}

variable "vcn_id" {
  description = "Network of the database."
  type        = string
}

variable "subnet_id" {
  description = "Private subnet."
  type        = string
}

variable "availability_domain" {
  description = "Where the storage stands in regions with one domain; null: in several."
  type        = string
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

variable "shape" {
  description = "Shape of the instances."
  type        = string
}

variable "ocpus" {
  description = "OCPUs of an instance; each has 16 GB."
  type        = number
}

variable "user" {
  description = "The administrator."
  type        = string
}

variable "backup_days" {
  description = "Days for which the service's own backups are kept."
  type        = number
}

variable "compartment_id" {
  description = "Compartment of the bucket."
  type        = string
}

variable "namespace" {
  description = "Object storage namespace of the tenancy."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must have 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "kms_key_id" {
  description = "Key that encrypts the objects."
  type        = string
}

variable "keep_versions_days" {
  description = "Days for which replaced and removed objects can be had back."
  type        = number
  validation {
    condition     = var.keep_versions_days >= 1
    error_message = "keep_versions_days must be at least 1."
  }
}

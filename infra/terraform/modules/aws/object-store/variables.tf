variable "bucket" {
  description = "Name of the bucket."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must have 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the objects; null: S3's own."
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

variable "force_destroy" {
  description = "Whether `destroy` removes a bucket that is not empty."
  type        = bool
}

variable "object_lock" {
  description = "Whether objects may be held until a day that their writer names (S3 Object Lock). It is for good."
  type        = bool
  default     = false
}

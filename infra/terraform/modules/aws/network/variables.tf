variable "name" {
  description = "What every name here starts with."
  type        = string
}

variable "region" {
  description = "Region, for the name of the S3 endpoint."
  type        = string
}

variable "account" {
  description = "The 12 digits of the account."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network: a /16 to /24; each zone gets a sixteenth of it."
  type        = string
  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 0)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 24
    error_message = "cidr must be an IPv4 range from /16 to /24, such as 10.40.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, one private subnet each. A database needs two."
  type        = list(string)
  validation {
    condition     = length(distinct(var.zones)) == length(var.zones) && length(var.zones) >= 2 && length(var.zones) <= 16
    error_message = "zones must name at least two different availability zones."
  }
}

variable "flow_logs" {
  description = "Whether the network's connections are logged."
  type        = bool
}

variable "kms_key_arn" {
  description = "Key for the logs; null: CloudWatch's own."
  type        = string
}

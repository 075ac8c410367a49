variable "compartment_id" {
  description = "Compartment of everything here."
  type        = string
}

variable "name" {
  description = "What every name here starts with."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network: a /16 to /24; the private subnet gets a sixteenth of it."
  type        = string
  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 0)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 24
    error_message = "cidr must be an IPv4 range from /16 to /24, such as 10.40.0.0/16."
  }
}

variable "flow_logs" {
  description = "Whether the subnet's connections are logged."
  type        = bool
}

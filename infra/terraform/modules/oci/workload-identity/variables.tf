variable "compartment_id" {
  description = "Compartment of the policies."
  type        = string
}

variable "name" {
  description = "What every name here starts with."
  type        = string
}

variable "cluster_id" {
  description = "OCID of the cluster."
  type        = string
  validation {
    condition     = can(regex("^ocid1\\.cluster\\.[a-z0-9.-]+$", var.cluster_id))
    error_message = "cluster_id must be the OCID of a cluster, ocid1.cluster.…"
  }
}

variable "namespace" {
  description = "Namespace of the service accounts."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be a name of Kubernetes without wildcards."
  }
}

variable "roles" {
  description = "By name: the service account, and what it may do, each as it follows `to` in a policy."
  type = map(object({
    service_account = string
    rights          = list(string)
  }))
  validation {
    condition     = alltrue([for role in var.roles : can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", role.service_account))])
    error_message = "service_account must be a name of Kubernetes without wildcards."
  }
}

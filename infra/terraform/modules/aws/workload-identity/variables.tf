variable "name" {
  description = "What the roles' names start with."
  type        = string
}

variable "account" {
  description = "The 12 digits of the account."
  type        = string
}

variable "partition" {
  description = "aws, aws-cn or aws-us-gov."
  type        = string
}

variable "cluster_oidc_issuer" {
  description = "The cluster's OIDC issuer without https://, for IRSA; null: Pod Identity only."
  type        = string
  validation {
    condition     = var.cluster_oidc_issuer == null ? true : can(regex("^[a-z0-9.-]+(/[A-Za-z0-9_.-]+)*$", var.cluster_oidc_issuer))
    error_message = "cluster_oidc_issuer must be a host with a path, without https://, such as oidc.eks.eu-central-1.amazonaws.com/id/ABC."
  }
}

variable "cluster_arns" {
  description = "EKS clusters whose pods may take the roles; empty: all of the account."
  type        = list(string)
  validation {
    condition     = alltrue([for arn in var.cluster_arns : can(regex("^arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9][A-Za-z0-9_-]*$", arn))])
    error_message = "cluster_arns must be ARNs of EKS clusters without wildcards: arn:aws:eks:REGION:ACCOUNT:cluster/NAME."
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
  description = "By name: the service account, what it may do (JSON), and whether its pods ask by EKS Pod Identity too."
  type = map(object({
    service_account = string
    policy          = string
    pod_identity    = optional(bool, true)
  }))
  validation {
    condition     = alltrue([for role in var.roles : can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", role.service_account))])
    error_message = "service_account must be a name of Kubernetes without wildcards."
  }
}

variable "permissions_boundary" {
  description = "ARN of a policy that no role here may exceed, or null."
  type        = string
}

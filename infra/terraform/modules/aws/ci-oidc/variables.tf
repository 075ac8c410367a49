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

variable "create_provider" {
  description = "False where the account has the OIDC provider of GitHub already: there is one an account."
  type        = bool
}

variable "repository" {
  description = "OWNER/NAME, in the spelling of GitHub."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$", var.repository))
    error_message = "repository must be OWNER/NAME without wildcards."
  }
}

variable "owner_id" {
  description = "Number of the owner: gh api repos/OWNER/NAME --jq .owner.id"
  type        = string
  validation {
    condition     = can(regex("^[1-9][0-9]{0,18}$", var.owner_id))
    error_message = "owner_id must be a number: gh api repos/OWNER/NAME --jq .owner.id prints it."
  }
}

variable "repository_id" {
  description = "Number of the repository: gh api repos/OWNER/NAME --jq .id"
  type        = string
  validation {
    condition     = can(regex("^[1-9][0-9]{0,18}$", var.repository_id))
    error_message = "repository_id must be a number: gh api repos/OWNER/NAME --jq .id prints it."
  }
}

variable "roles" {
  description = "By name: the environment that the job names, what it may do (JSON), and the one ref and workflow it runs from, or null for both."
  type = map(object({
    environment = string
    policy      = string
    ref         = optional(string)
    workflow    = optional(string)
  }))
  validation {
    condition     = alltrue([for role in var.roles : can(regex("^[A-Za-z0-9_./ -]{1,255}$", role.environment))])
    error_message = "environment must have letters, digits, spaces and -_./ only."
  }
  validation {
    condition     = alltrue([for role in var.roles : role.ref == null ? role.workflow == null : can(regex("^refs/(heads|tags)/[A-Za-z0-9_./-]+$", role.ref)) && can(regex("^[A-Za-z0-9_.-]+\\.ya?ml$", role.workflow))])
    error_message = "ref must be a full ref without wildcards, such as refs/heads/main, with the workflow's file name; or both are null."
  }
}

variable "permissions_boundary" {
  description = "ARN of a policy that no role here may exceed, or null."
  type        = string
}

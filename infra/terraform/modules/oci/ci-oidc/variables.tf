variable "compartment_id" {
  description = "Compartment of the policies."
  type        = string
}

variable "name" {
  description = "What every name here starts with."
  type        = string
}

variable "domain_url" {
  description = "Address of the identity domain."
  type        = string
  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:443)?$", var.domain_url))
    error_message = "domain_url must be https:// and the domain's host, such as https://idcs-abc.identity.oraclecloud.com:443."
  }
}

variable "domain_name" {
  description = "Name of the identity domain in policies."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9@._+-]{1,100}$", var.domain_name))
    error_message = "domain_name must be a name that can stand in a policy without quotes."
  }
}

variable "client_id" {
  description = "Confidential application whose id and secret the job has. It is made by hand, so that no state holds its secret."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{8,100}$", var.client_id))
    error_message = "client_id must be the id of a confidential application."
  }
}

variable "audience" {
  description = "Audience for which the job asks its token; another one than any other cloud's."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9:/._-]{1,200}$", var.audience)) && var.audience != "sts.amazonaws.com"
    error_message = "audience must be one word, and not the one of another cloud."
  }
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

variable "subject_forms" {
  description = "Forms of the subject that are trusted: `name`, `ids`. Where GitHub gives ids already, trust these alone: a name that became free can be taken."
  type        = list(string)
  validation {
    condition     = length(var.subject_forms) > 0 && alltrue([for one in var.subject_forms : contains(["name", "ids"], one)])
    error_message = "subject_forms must hold name, ids or both."
  }
}

variable "roles" {
  description = "By name: the environment that the job names, and what it may do, each as it follows `to` in a policy."
  type = map(object({
    environment = string
    rights      = list(string)
  }))
  validation {
    condition     = alltrue([for role in var.roles : can(regex("^[A-Za-z0-9_./-]{1,255}$", role.environment))])
    error_message = "environment must have letters, digits and -_./ only: a rule has no quotes, and * in it matches everything."
  }
  validation {
    condition     = length(distinct([for role in var.roles : role.environment])) == length(var.roles)
    error_message = "Each role needs an environment of its own: one subject becomes one user."
  }
}

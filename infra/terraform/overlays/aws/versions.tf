terraform {
  # ephemeral values and write-only arguments: https://developer.hashicorp.com/terraform/language/manage-sensitive-data
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

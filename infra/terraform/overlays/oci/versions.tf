terraform {
  # ephemeral values: https://developer.hashicorp.com/terraform/language/manage-sensitive-data
  required_version = ">= 1.11"
  required_providers {
    oci = {
      source  = "oracle/oci"
      version = "~> 7.0"
    }
  }
}

mock_provider "oci" {
  source = "./tests/mocks"
}

variables {
  compartment_id = "ocid1.compartment.oc1..example"
  db_password    = "not-a-real-password"
}

run "everything" {
  variables {
    cluster_id = "ocid1.cluster.oc1.eu-frankfurt-1.example"
    github = {
      repository         = "octo/shop"
      owner_id           = "42"
      repository_id      = "7001"
      domain_url         = "https://idcs-example.identity.oraclecloud.com"
      client_id          = "0123456789abcdef"
      drill_environment  = "drill"
      deploy_environment = "production"
    }
  }

  assert {
    condition     = output.role_arn != null && output.drill_role_arn != null && output.canary_role_arn != null
    error_message = "Each job has a user."
  }
  assert {
    condition     = output.workload_role_arn != null && output.backup_writer_role_arn != null && output.backup_reader_role_arn != null
    error_message = "Each service account has a policy."
  }

  expect_failures = [check.db_password]
}

run "production" {
  variables {
    production = true
    github     = null
  }

  assert {
    condition     = oci_kms_key.this.protection_mode == "HSM"
    error_message = "Production's key stays in hardware."
  }
  assert {
    condition     = output.models_url == "oci://octonamespace/aegis-production-models/production/"
    error_message = "Production reads its own prefix."
  }

  expect_failures = [check.github, check.db_password]
}

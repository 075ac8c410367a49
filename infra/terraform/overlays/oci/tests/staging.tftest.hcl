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
      repository    = "octo/shop"
      owner_id      = "42"
      repository_id = "7001"
      domain_url    = "https://idcs-example.identity.oraclecloud.com"
      client_id     = "0123456789abcdef"
    }
  }

  assert {
    condition     = alltrue([for one in [output.role_arn, output.drill_role_arn, output.canary_role_arn, output.evidence_role_arn] : one != null])
    error_message = "Each job has a user."
  }
  assert {
    condition     = output.workload_role_arn != null && output.backup_writer_role_arn != null && output.backup_reader_role_arn != null
    error_message = "Each service account has a policy."
  }

  expect_failures = [check.db_password]
}

run "staging_becomes_no_production" {
  command = plan
  variables {
    production = true
    github     = null
  }
  expect_failures = [terraform_data.name, check.github, check.db_password]
}

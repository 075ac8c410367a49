mock_provider "oci" {
  source = "./tests/mocks"
}

variables {
  compartment_id = "ocid1.compartment.oc1..example"
  db_password    = "not-a-real-password"
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

# The line that applies every overlay: the password is told to be of no use, and the rest is made.

mock_provider "oci" {
  source = "./tests/mocks"
}

variables {
  compartment_id = "ocid1.compartment.oc1..example"
}

run "literal_line" {
  variables {
    db_password = "not-a-real-password"
  }

  assert {
    condition     = output.database_url == "postgresql://aegis@primary.example.postgresql.eu-frankfurt-1.oci.oraclecloud.com:5432/postgres?sslmode=verify-full"
    error_message = "The address of the database holds no password, and asks for TLS with the server's name."
  }
  assert {
    condition     = output.bucket_name == "aegis-staging-models" && output.bucket_namespace == "octonamespace" && output.cloud == "oci"
    error_message = "The bucket is named by environment."
  }
  assert {
    condition     = output.role_arn == null && output.workload_role_arn == null
    error_message = "Nobody gets rights unasked."
  }

  expect_failures = [check.github, check.db_password]
}

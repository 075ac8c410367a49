# The line that applies every overlay: the password is told to be of no use, and the rest is made.

mock_provider "oci" {
  mock_data "oci_objectstorage_namespace" {
    defaults = {
      namespace = "octonamespace"
    }
  }

  mock_data "oci_core_services" {
    defaults = {
      services = [{
        id          = "ocid1.service.oc1..all"
        name        = "All FRA Services In Oracle Services Network"
        description = "All FRA Services In Oracle Services Network"
        cidr_block  = "all-fra-services-in-oracle-services-network"
      }]
    }
  }

  mock_data "oci_psql_db_system_connection_detail" {
    defaults = {
      primary_db_endpoint = [{
        fqdn       = "primary.example.postgresql.eu-frankfurt-1.oci.oraclecloud.com"
        ip_address = "10.40.0.10"
        port       = 5432
      }]
    }
  }
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
    condition     = output.role_arn == null && output.workload_role_arn == null && output.secrets_role_arn == null
    error_message = "Nobody gets rights unasked."
  }

  expect_failures = [check.github, check.db_password]
}

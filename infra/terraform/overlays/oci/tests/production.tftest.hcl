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

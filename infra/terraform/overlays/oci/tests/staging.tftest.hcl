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
    condition     = output.workload_role_arn != null && output.backup_writer_role_arn != null && output.backup_reader_role_arn != null && output.secrets_role_arn != null
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

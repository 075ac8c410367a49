# What must be refused, before anything is made.

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
  github = {
    repository    = "octo/shop"
    owner_id      = "42"
    repository_id = "7001"
    domain_url    = "https://idcs-example.identity.oraclecloud.com"
    client_id     = "0123456789abcdef"
  }
}

run "no_compartment" {
  command = plan
  variables { compartment_id = "staging" }
  expect_failures = [var.compartment_id]
}

run "prefix_of_everything" {
  command = plan
  variables { model_prefix = "*" }
  expect_failures = [var.model_prefix]
}

run "database_with_a_quote" {
  command = plan
  variables { backup_databases = ["shop' or 'x"] }
  expect_failures = [var.backup_databases]
}

run "every_secret" {
  command = plan
  variables { secrets = ["aegis-audit", "*"] }
  expect_failures = [var.secrets]
}

run "secrets_of_one_letter_more" {
  command = plan
  variables { secrets = ["aegis-audit?"] }
  expect_failures = [var.secrets]
}

run "secret_without_a_name" {
  command = plan
  variables { secrets = [""] }
  expect_failures = [var.secrets]
}

run "secret_with_a_quote" {
  command = plan
  variables { secrets = ["aegis' or 'x"] }
  expect_failures = [var.secrets]
}

run "name_with_capitals" {
  command = plan
  variables { name = "Aegis" }
  expect_failures = [var.name]
}

run "verdicts_of_everything" {
  command = plan
  variables { verdict_prefix = "*" }
  expect_failures = [var.verdict_prefix]
}

run "backups_of_everything" {
  command = plan
  variables { backup_prefix = "?" }
  expect_failures = [var.backup_prefix]
}

run "postgresql_that_oci_does_not_offer" {
  command = plan
  variables { postgresql_major = "18" }
  expect_failures = [var.postgresql_major]
}

run "drill_where_pull_requests_are" {
  command = plan
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001", domain_url = "https://idcs-example.identity.oraclecloud.com", client_id = "0123456789abcdef", drill_environment = "Staging" }
  }
  expect_failures = [var.github]
}

run "evidence_where_rollouts_are_judged" {
  command = plan
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001", domain_url = "https://idcs-example.identity.oraclecloud.com", client_id = "0123456789abcdef", evidence_environment = "Production" }
  }
  expect_failures = [var.github]
}

run "gate_where_people_apply" {
  command = plan
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001", domain_url = "https://idcs-example.identity.oraclecloud.com", client_id = "0123456789abcdef", environment = "terraform-apply" }
  }
  expect_failures = [var.github]
}

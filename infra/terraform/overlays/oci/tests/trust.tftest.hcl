# Names that would widen a trust are refused by the module itself.

mock_provider "oci" {}

variables {
  compartment_id = "ocid1.compartment.oc1..example"
  name           = "aegis"
  domain_url     = "https://idcs-example.identity.oraclecloud.com"
  domain_name    = "Default"
  client_id      = "0123456789abcdef"
  audience       = "https://cloud.oracle.com"
  repository     = "octo/shop"
  owner_id       = "42"
  repository_id  = "7001"
  subject_forms  = ["name", "ids"]
  roles          = { verify = { environment = "staging", rights = ["read objects in compartment x where all {target.bucket.name = 'b'}"] } }
}

run "good" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }

  assert {
    condition     = [for one in oci_identity_domains_identity_propagation_trust.github.impersonation_service_users : one.rule] == ["sub eq repo:octo/shop:environment:staging", "sub eq repo:octo@42/shop@7001:environment:staging"]
    error_message = "Both forms of the subject are trusted, and nothing else."
  }
}

run "ids_only" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables { subject_forms = ["ids"] }

  assert {
    condition     = length(oci_identity_domains_identity_propagation_trust.github.impersonation_service_users) == 1
    error_message = "A name that became free opens nothing."
  }
}

run "any_repository" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables { repository = "octo/*" }
  expect_failures = [var.repository]
}

run "any_environment" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables {
    roles = { verify = { environment = "*", rights = [] } }
  }
  expect_failures = [var.roles]
}

run "one_subject_two_users" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables {
    roles = {
      verify = { environment = "staging", rights = [] }
      drill  = { environment = "staging", rights = [] }
    }
  }
  expect_failures = [var.roles]
}

run "no_form" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables { subject_forms = [] }
  expect_failures = [var.subject_forms]
}

run "the_audience_of_another_cloud" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables { audience = "sts.amazonaws.com" }
  expect_failures = [var.audience]
}

run "domain_by_plain_http" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables { domain_url = "http://idcs-example.identity.oraclecloud.com" }
  expect_failures = [var.domain_url]
}

run "client_with_a_space" {
  command = plan
  module { source = "../../modules/oci/ci-oidc" }
  variables { client_id = "not an id" }
  expect_failures = [var.client_id]
}

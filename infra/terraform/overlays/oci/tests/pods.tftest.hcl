# `any-user` without the service account's conditions would be everybody: such rights are refused.

mock_provider "oci" {}

variables {
  compartment_id = "ocid1.compartment.oc1..example"
  name           = "aegis"
  cluster_id     = "ocid1.cluster.oc1.eu-frankfurt-1.example"
  namespace      = "aegis"
  roles          = { api = { service_account = "aegis", rights = ["read objects in compartment id x where all {target.bucket.name = 'b'}"] } }
}

run "good" {
  command = plan
  module { source = "../../modules/oci/workload-identity" }

  assert {
    condition     = oci_identity_policy.pod["api"].statements[0] == "Allow any-user to read objects in compartment id x where all {request.principal.type = 'workload', request.principal.namespace = 'aegis', request.principal.cluster_id = 'ocid1.cluster.oc1.eu-frankfurt-1.example', request.principal.service_account = 'aegis', target.bucket.name = 'b'}"
    error_message = "One service account of one cluster."
  }
}

run "rights_for_everybody" {
  command = plan
  module { source = "../../modules/oci/workload-identity" }
  variables {
    roles = { api = { service_account = "aegis", rights = ["read objects in compartment id x"] } }
  }
  expect_failures = [oci_identity_policy.pod["api"]]
}

run "any_account" {
  command = plan
  module { source = "../../modules/oci/workload-identity" }
  variables {
    roles = { api = { service_account = "*", rights = [] } }
  }
  expect_failures = [var.roles]
}

run "any_cluster" {
  command = plan
  module { source = "../../modules/oci/workload-identity" }
  variables { cluster_id = "*" }
  expect_failures = [var.cluster_id]
}

# What single service accounts of one cluster may do, without any stored key.
# https://docs.oracle.com/iaas/Content/ContEng/Tasks/contenggrantingworkloadaccesstoresources.htm

locals {
  principal = "request.principal.type = 'workload', request.principal.namespace = '${var.namespace}', request.principal.cluster_id = '${var.cluster_id}'"
}

resource "oci_identity_policy" "pod" {
  for_each       = var.roles
  compartment_id = var.compartment_id
  name           = "${var.name}-${each.key}"
  description    = "What the service account ${var.namespace}/${each.value.service_account} may do"
  statements = [
    for right in each.value.rights :
    "Allow any-user to ${replace(right, " where all {", " where all {${local.principal}, request.principal.service_account = '${each.value.service_account}', ")}"
  ]

  lifecycle {
    precondition {
      # without the principal's conditions `any-user` would be everybody in the tenancy
      condition     = alltrue([for right in each.value.rights : length(split(" where all {", right)) == 2])
      error_message = "Each right of ${each.key} must hold one `where all {…}`, which the service account is added to."
    }
  }
}

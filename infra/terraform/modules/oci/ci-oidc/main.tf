# Service users that single jobs of one GitHub repository become, by an identity propagation trust.
#
# The subject names repository and environment, in both forms that GitHub uses: by name, and with the ids that stay when
# a repository is renamed. Nothing is a wildcard. A rule maps one subject to one user, so each role has an environment of
# its own. https://docs.oracle.com/iaas/Content/Identity/api-getstarted/json_web_token_exchange.htm

locals {
  issuer = "https://token.actions.githubusercontent.com"
  owner  = split("/", var.repository)[0]
  name   = split("/", var.repository)[1]

  subjects = {
    for id, role in var.roles : id => concat(
      contains(var.subject_forms, "name") ? ["repo:${local.owner}/${local.name}:environment:${role.environment}"] : [],
      contains(var.subject_forms, "ids") ? ["repo:${local.owner}@${var.owner_id}/${local.name}@${var.repository_id}:environment:${role.environment}"] : [],
    )
  }
  rules = flatten([for id, subjects in local.subjects : [for subject in subjects : { role = id, rule = "sub eq ${subject}" }]])
}

resource "oci_identity_domains_user" "job" {
  for_each      = var.roles
  idcs_endpoint = var.domain_url
  schemas = [
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:oracle:idcs:extension:user:User",
  ]
  user_name   = "${var.name}-${each.key}"
  description = "Job in environment ${each.value.environment} of ${var.repository}"
  urnietfparamsscimschemasoracleidcsextensionuser_user {
    service_user = true
  }
}

resource "oci_identity_domains_group" "job" {
  for_each      = var.roles
  idcs_endpoint = var.domain_url
  schemas       = ["urn:ietf:params:scim:schemas:core:2.0:Group"]
  display_name  = "${var.name}-${each.key}"
  members {
    type  = "User"
    value = oci_identity_domains_user.job[each.key].id
  }
}

resource "oci_identity_policy" "job" {
  for_each       = var.roles
  compartment_id = var.compartment_id
  name           = "${var.name}-${each.key}"
  description    = "What the job in environment ${each.value.environment} of ${var.repository} may do"
  statements     = [for right in each.value.rights : "Allow group '${var.domain_name}'/'${oci_identity_domains_group.job[each.key].display_name}' to ${right}"]
}

resource "oci_identity_domains_identity_propagation_trust" "github" {
  idcs_endpoint       = var.domain_url
  schemas             = ["urn:ietf:params:scim:schemas:oracle:idcs:IdentityPropagationTrust"]
  name                = "${var.name}-github"
  type                = "JWT"
  active              = true
  issuer              = local.issuer
  public_key_endpoint = "${local.issuer}/.well-known/jwks"
  subject_type        = "User"
  subject_claim_name  = "sub"
  client_claim_name   = "aud"
  client_claim_values = [var.audience]
  oauth_clients       = [var.client_id]
  allow_impersonation = true

  dynamic "impersonation_service_users" {
    for_each = local.rules
    content {
      rule  = impersonation_service_users.value.rule
      value = oci_identity_domains_user.job[impersonation_service_users.value.role].id
    }
  }
}

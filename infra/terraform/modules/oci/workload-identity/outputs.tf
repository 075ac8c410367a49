output "policy_ids" {
  description = "By the names in `roles`."
  value       = { for name, policy in oci_identity_policy.pod : name => policy.id }
}

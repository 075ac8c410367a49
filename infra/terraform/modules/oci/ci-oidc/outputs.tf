output "user_ids" {
  description = "By the names in `roles`: the service user that the job becomes."
  value       = { for name, user in oci_identity_domains_user.job : name => user.ocid }
}

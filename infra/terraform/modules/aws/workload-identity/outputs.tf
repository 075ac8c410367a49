output "role_arns" {
  description = "By the names in `roles`."
  value       = { for name, role in aws_iam_role.pod : name => role.arn }
}

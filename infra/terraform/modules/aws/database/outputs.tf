output "url" {
  description = "Where the database is: without a password."
  value       = "postgresql://${var.user}@${aws_db_instance.this.address}:${aws_db_instance.this.port}/${var.database}?sslmode=verify-full"
}

output "secret_name" {
  description = "The secret that holds the password."
  value       = aws_secretsmanager_secret.password.name
}

output "secret_arn" {
  description = "ARN of the secret."
  value       = aws_secretsmanager_secret.password.arn
}

output "resource_id" {
  description = "What IAM authentication calls the instance."
  value       = aws_db_instance.this.resource_id
}

output "url" {
  description = "Where the database is: without a password. The system makes the database `postgres`."
  value       = "postgresql://${var.user}@${data.oci_psql_db_system_connection_detail.this.primary_db_endpoint[0].fqdn}:${data.oci_psql_db_system_connection_detail.this.primary_db_endpoint[0].port}/postgres?sslmode=verify-full"
}

output "secret_name" {
  description = "Name of the secret that holds the password."
  value       = oci_vault_secret.password.secret_name
}

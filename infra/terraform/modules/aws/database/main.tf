# PostgreSQL in private subnets. The password goes in by write-only arguments: it is in neither plan nor state.

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "PostgreSQL, from the clients of ${var.name} only"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each          = toset(var.clients)
  security_group_id = aws_security_group.this.id
  description       = "PostgreSQL from ${each.value}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

resource "aws_db_parameter_group" "this" {
  name        = var.name
  family      = "postgres${var.engine_major}"
  description = "TLS for everyone; connections are logged"
  # No statements: ALTER ROLE ... PASSWORD is one, and is logged as it was typed.
  # https://www.postgresql.org/docs/current/runtime-config-logging.html#GUC-LOG-STATEMENT
  dynamic "parameter" {
    for_each = { "rds.force_ssl" = "1", log_connections = "1", log_disconnections = "1", log_statement = "none" }
    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.engine_major
  instance_class = var.instance_class
  db_name        = var.database
  username       = var.user

  password_wo         = var.password
  password_wo_version = var.password_version

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.storage_gb * 5
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false
  multi_az               = var.production

  iam_database_authentication_enabled = true
  ca_cert_identifier                  = "rds-ca-rsa2048-g1"

  backup_retention_period    = var.backup_days
  copy_tags_to_snapshot      = true
  deletion_protection        = var.production
  delete_automated_backups   = !var.production
  skip_final_snapshot        = !var.production
  final_snapshot_identifier  = var.production ? "${var.name}-final" : null
  auto_minor_version_upgrade = true

  performance_insights_enabled    = var.production
  performance_insights_kms_key_id = var.production ? var.kms_key_arn : null
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
}

# Where the cluster gets the password from (ExternalSecrets).
resource "aws_secretsmanager_secret" "password" {
  name                    = "${var.name}/database"
  description             = "Password of ${var.user} in ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.production ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "password" {
  secret_id                = aws_secretsmanager_secret.password.id
  secret_string_wo         = var.password
  secret_string_wo_version = var.password_version
}

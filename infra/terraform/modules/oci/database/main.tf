# PostgreSQL in a private subnet. The vault makes the password: Terraform never has it, and state names only the secret.

resource "oci_vault_secret" "password" {
  compartment_id         = var.compartment_id
  vault_id               = var.vault_id
  key_id                 = var.kms_key_id
  secret_name            = "${var.name}-database"
  description            = "Password of ${var.user} in ${var.name}"
  enable_auto_generation = true
  secret_generation_context {
    generation_type     = "PASSPHRASE"
    generation_template = "DBAAS_DEFAULT_PASSWORD"
    passphrase_length   = 30
  }
}

resource "oci_core_network_security_group" "this" {
  compartment_id = var.compartment_id
  vcn_id         = var.vcn_id
  display_name   = "${var.name}-database"
}

resource "oci_core_network_security_group_security_rule" "clients" {
  for_each                  = toset(var.clients)
  network_security_group_id = oci_core_network_security_group.this.id
  description               = "PostgreSQL from ${each.value}"
  direction                 = "INGRESS"
  protocol                  = "6"
  source_type               = "CIDR_BLOCK"
  source                    = each.value
  tcp_options {
    destination_port_range {
      min = 5432
      max = 5432
    }
  }
}

resource "oci_psql_db_system" "this" {
  compartment_id              = var.compartment_id
  display_name                = var.name
  db_version                  = var.engine_major
  shape                       = var.shape
  instance_count              = var.production ? 2 : 1
  instance_ocpu_count         = var.ocpus
  instance_memory_size_in_gbs = var.ocpus * 16
  system_type                 = "OCI_OPTIMIZED_STORAGE"

  credentials {
    username = var.user
    password_details {
      password_type  = "VAULT_SECRET"
      secret_id      = oci_vault_secret.password.id
      secret_version = "1"
    }
  }

  network_details {
    subnet_id = var.subnet_id
    nsg_ids   = [oci_core_network_security_group.this.id]
  }

  storage_details {
    system_type           = "OCI_OPTIMIZED_STORAGE"
    is_regionally_durable = var.availability_domain == null
    availability_domain   = var.availability_domain
  }

  management_policy {
    backup_policy {
      kind           = "DAILY"
      backup_start   = "01:23"
      retention_days = var.backup_days
    }
  }
}

# The name that the server's certificate holds.
data "oci_psql_db_system_connection_detail" "this" {
  db_system_id = oci_psql_db_system.this.id
}

# A network with a private subnet only: the database has no way to the internet, and none from it. Subnets of OCI span
# the availability domains of the region.

data "oci_core_services" "all" {
  filter {
    name   = "name"
    values = ["All .* Services In Oracle Services Network"]
    regex  = true
  }
}

resource "oci_core_vcn" "this" {
  compartment_id = var.compartment_id
  display_name   = var.name
  cidr_blocks    = [var.cidr]
  dns_label      = "aegis"
}

# The list that subnets without one of their own would get lets nothing in or out.
resource "oci_core_default_security_list" "none" {
  manage_default_resource_id = oci_core_vcn.this.default_security_list_id
  compartment_id             = var.compartment_id
}

# Object storage and vaults are reached without the internet.
resource "oci_core_service_gateway" "this" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = var.name
  services {
    service_id = data.oci_core_services.all.services[0].id
  }
}

resource "oci_core_route_table" "private" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.this.id
  display_name   = "${var.name}-private"
  route_rules {
    destination       = data.oci_core_services.all.services[0].cidr_block
    destination_type  = "SERVICE_CIDR_BLOCK"
    network_entity_id = oci_core_service_gateway.this.id
  }
}

resource "oci_core_subnet" "private" {
  compartment_id             = var.compartment_id
  vcn_id                     = oci_core_vcn.this.id
  display_name               = "${var.name}-private"
  cidr_block                 = cidrsubnet(var.cidr, 4, 0)
  dns_label                  = "private"
  route_table_id             = oci_core_route_table.private.id
  security_list_ids          = [oci_core_vcn.this.default_security_list_id]
  prohibit_internet_ingress  = true
  prohibit_public_ip_on_vnic = true
}

resource "oci_logging_log_group" "flow" {
  count          = var.flow_logs ? 1 : 0
  compartment_id = var.compartment_id
  display_name   = "${var.name}-flow"
}

resource "oci_logging_log" "flow" {
  count              = var.flow_logs ? 1 : 0
  display_name       = "${var.name}-flow"
  log_group_id       = oci_logging_log_group.flow[0].id
  log_type           = "SERVICE"
  is_enabled         = true
  retention_duration = 180
  configuration {
    compartment_id = var.compartment_id
    source {
      source_type = "OCISERVICE"
      service     = "flowlogs"
      category    = "subnet"
      resource    = oci_core_subnet.private.id
    }
  }
}

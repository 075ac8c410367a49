output "vcn_id" {
  description = "The network."
  value       = oci_core_vcn.this.id
}

output "subnet_id" {
  description = "The private subnet."
  value       = oci_core_subnet.private.id
}

output "cidr" {
  description = "The network's addresses."
  value       = var.cidr
}

output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "The private subnets, one a zone."
  value       = aws_subnet.private[*].id
}

output "cidr" {
  description = "The network's addresses."
  value       = aws_vpc.this.cidr_block
}

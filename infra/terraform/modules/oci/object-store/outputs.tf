output "bucket" {
  description = "Name of the bucket."
  value       = oci_objectstorage_bucket.this.name
}

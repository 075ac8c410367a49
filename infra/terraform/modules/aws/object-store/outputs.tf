output "bucket" {
  description = "Name of the bucket. It is known before the bucket is made, so that a plan shows who may do what."
  value       = aws_s3_bucket.this.bucket
}

# A private bucket that keeps versions and is encrypted by a key of this deployment. OCI speaks TLS only.

resource "oci_objectstorage_bucket" "this" {
  compartment_id        = var.compartment_id
  namespace             = var.namespace
  name                  = var.bucket
  access_type           = "NoPublicAccess"
  versioning            = "Enabled"
  object_events_enabled = true
  kms_key_id            = var.kms_key_id
}

resource "oci_objectstorage_object_lifecycle_policy" "this" {
  namespace = var.namespace
  bucket    = oci_objectstorage_bucket.this.name
  rules {
    name        = "abandoned-uploads"
    action      = "ABORT"
    target      = "multipart-uploads"
    is_enabled  = true
    time_amount = 2
    time_unit   = "DAYS"
  }
  rules {
    name        = "replaced-versions"
    action      = "DELETE"
    target      = "previous-object-versions"
    is_enabled  = true
    time_amount = var.keep_versions_days
    time_unit   = "DAYS"
  }
}

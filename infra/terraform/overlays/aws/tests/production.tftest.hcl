mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  db_password  = "not-a-real-password"
  production   = true
  cluster_arns = ["arn:aws:eks:eu-central-1:123456789012:cluster/shop"]
  github       = { repository = "octo/shop", owner_id = "42", repository_id = "7001", deploy_environment = "production" }
}

run "production" {
  command = plan

  assert {
    condition     = length(module.network[0].subnet_ids) == 3
    error_message = "Production stands in three zones."
  }
  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "Production has a key of its own, which rotates."
  }
  assert {
    condition     = output.bucket_name == "aegis-production-models-123456789012"
    error_message = "Production shares no bucket with staging."
  }
  assert {
    condition     = output.models_url == "s3://aegis-production-models-123456789012/production/"
    error_message = "Production reads its own prefix."
  }
}

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }

  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }

  mock_data "aws_availability_zones" {
    defaults = {
      names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      address = "aegis.example.eu-central-1.rds.amazonaws.com"
      port    = 5432
    }
  }
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

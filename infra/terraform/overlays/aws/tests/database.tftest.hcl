# A database that everybody reaches is refused.

mock_provider "aws" {}

variables {
  name             = "aegis"
  production       = false
  vpc_id           = "vpc-1"
  subnet_ids       = ["subnet-1", "subnet-2"]
  clients          = ["10.40.0.0/16"]
  engine_major     = "17"
  instance_class   = "db.t4g.small"
  storage_gb       = 20
  database         = "aegis"
  user             = "aegis"
  password         = "not-a-real-password"
  password_version = 1
  backup_days      = 7
  kms_key_arn      = null
}

run "private" {
  command = plan
  module { source = "../../modules/aws/database" }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted
    error_message = "Private and encrypted."
  }
}

run "open_to_all" {
  command = plan
  module { source = "../../modules/aws/database" }
  variables { clients = ["0.0.0.0/0"] }
  expect_failures = [var.clients]
}

run "open_to_nobody" {
  command = plan
  module { source = "../../modules/aws/database" }
  variables { clients = [] }
  expect_failures = [var.clients]
}

run "one_zone" {
  command = plan
  module { source = "../../modules/aws/database" }
  variables { subnet_ids = ["subnet-1"] }
  expect_failures = [var.subnet_ids]
}

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
  cluster_arns = ["arn:aws:eks:eu-central-1:123456789012:cluster/shop"]
}

run "literal_line" {
  command = plan
  variables { cluster_arns = [] }

  assert {
    condition     = length(module.network[0].subnet_ids) == 2
    error_message = "Staging needs two zones: a subnet group takes no fewer."
  }
  assert {
    condition     = length(aws_kms_key.this) == 0 && length(module.ci_oidc) == 0
    error_message = "Staging without `github` has neither a key of its own nor roles for jobs."
  }
  assert {
    condition     = alltrue([for one in [output.role_arn, output.drill_role_arn, output.canary_role_arn, output.evidence_role_arn] : one == null])
    error_message = "Without `github` there is no role of a job."
  }
  assert {
    condition     = output.secrets_role_arn == null
    error_message = "Without the cluster's issuer nobody gets a role that reads secrets."
  }
  assert {
    condition     = output.bucket_name == "aegis-staging-models-123456789012" && output.cloud == "aws"
    error_message = "The bucket is named by environment and account."
  }

  # it says what is missing
  expect_failures = [check.github, check.cluster_arns]
}

run "with_github" {
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001" }
  }
  override_module {
    target  = module.ci_oidc
    outputs = { role_arns = { verify = "of-verify", drill = "of-drill", canary = "of-canary", evidence = "of-evidence" } }
  }

  assert {
    condition     = jsonencode([output.role_arn, output.drill_role_arn, output.canary_role_arn, output.evidence_role_arn]) == jsonencode(["of-verify", "of-drill", "of-canary", "of-evidence"])
    error_message = "Verify, drill, canary and evidence have a role each."
  }
  assert {
    condition     = startswith(output.database_url, "postgresql://aegis@") && endswith(output.database_url, ":5432/aegis?sslmode=verify-full")
    error_message = "The address of the database holds no password, and asks for TLS with the server's name."
  }
}

run "staging_becomes_no_production" {
  command = plan
  variables {
    github     = { repository = "octo/shop", owner_id = "42", repository_id = "7001" }
    production = true
  }
  expect_failures = [terraform_data.name]
}

run "nor_another_name" {
  command = plan
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001" }
    name   = "other"
  }
  expect_failures = [terraform_data.name]
}

run "a_network_that_exists" {
  command = plan
  variables {
    github           = { repository = "octo/shop", owner_id = "42", repository_id = "7001" }
    network          = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
    database_clients = ["10.1.0.0/16"]
  }

  assert {
    condition     = length(module.network) == 0
    error_message = "No second network is made."
  }
}

mock_provider "aws" {
  source = "./tests/mocks"
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

  assert {
    condition     = length(distinct([output.role_arn, output.drill_role_arn, output.canary_role_arn, output.evidence_role_arn])) == 4
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

# What must be refused, before anything is made.

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
  github       = { repository = "octo/shop", owner_id = "42", repository_id = "7001" }
}

run "short_password" {
  command = plan
  variables { db_password = "short" }
  expect_failures = [var.db_password]
}

run "password_that_rds_refuses" {
  command = plan
  variables { db_password = "sixteen/or@more chars" }
  expect_failures = [var.db_password]
}

run "every_secret" {
  command = plan
  variables { secrets = ["aegis-audit", "*"] }
  expect_failures = [var.secrets]
}

run "secrets_of_one_letter_more" {
  command = plan
  variables { secrets = ["aegis-audit?"] }
  expect_failures = [var.secrets]
}

run "secret_without_a_name" {
  command = plan
  variables { secrets = [""] }
  expect_failures = [var.secrets]
}

run "secret_with_a_quote" {
  command = plan
  variables { secrets = ["aegis' or 'x"] }
  expect_failures = [var.secrets]
}

run "name_with_capitals" {
  command = plan
  variables { name = "Aegis" }
  expect_failures = [var.name]
}

run "prefix_without_slash" {
  command = plan
  variables { model_prefix = "staging" }
  expect_failures = [var.model_prefix]
}

run "prefix_of_everything" {
  command = plan
  variables { model_prefix = "*/" }
  expect_failures = [var.model_prefix]
}

run "verdicts_of_everything" {
  command = plan
  variables { verdict_prefix = "*" }
  expect_failures = [var.verdict_prefix]
}

run "backups_of_everything" {
  command = plan
  variables { backup_prefix = "?" }
  expect_failures = [var.backup_prefix]
}

run "database_with_a_wildcard" {
  command = plan
  variables { backup_databases = ["*"] }
  expect_failures = [var.backup_databases]
}

run "postgresql_that_nobody_backs_up" {
  command = plan
  variables { postgresql_major = "12" }
  expect_failures = [var.postgresql_major]
}

run "drill_where_pull_requests_are" {
  command = plan
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001", drill_environment = "Staging" }
  }
  expect_failures = [var.github]
}

run "evidence_where_rollouts_are_judged" {
  command = plan
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001", evidence_environment = "Production" }
  }
  expect_failures = [var.github]
}

run "gate_where_people_apply" {
  command = plan
  variables {
    github = { repository = "octo/shop", owner_id = "42", repository_id = "7001", environment = "terraform-apply" }
  }
  expect_failures = [var.github]
}

run "any_cluster" {
  command = plan
  variables { cluster_arns = ["arn:aws:eks:eu-central-1:123456789012:cluster/*"] }
  expect_failures = [var.cluster_arns]
}

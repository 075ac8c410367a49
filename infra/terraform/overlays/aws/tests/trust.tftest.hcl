# Names that would widen a trust are refused by the module itself.

mock_provider "aws" {}

variables {
  name                 = "aegis"
  account              = "123456789012"
  partition            = "aws"
  create_provider      = true
  repository           = "octo/shop"
  owner_id             = "42"
  repository_id        = "7001"
  permissions_boundary = null
  roles                = { verify = { environment = "staging", policy = "{}" } }
}

run "good" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }

  assert {
    condition     = length(jsondecode(aws_iam_role.job["verify"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]) == 2
    error_message = "Both forms of the subject are trusted."
  }
}

run "any_repository" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables { repository = "octo/*" }
  expect_failures = [var.repository]
}

run "any_owner" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables { repository = "*/shop" }
  expect_failures = [var.repository]
}

run "owner_only" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables { repository = "octo" }
  expect_failures = [var.repository]
}

run "owner_id_of_nobody" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables { owner_id = "*" }
  expect_failures = [var.owner_id]
}

run "repository_id_of_nobody" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables { repository_id = "0" }
  expect_failures = [var.repository_id]
}

run "any_environment" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables {
    roles = { verify = { environment = "*", policy = "{}" } }
  }
  expect_failures = [var.roles]
}

run "environment_that_passes_for_a_branch" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables {
    roles = { verify = { environment = "x:ref:refs/heads/main", policy = "{}" } }
  }
  expect_failures = [var.roles]
}

run "any_branch" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables {
    roles = { drill = { environment = "staging", policy = "{}", ref = "refs/heads/*", workflow = "w.yml" } }
  }
  expect_failures = [var.roles]
}

run "workflow_without_a_ref" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables {
    roles = { drill = { environment = "staging", policy = "{}", workflow = "w.yml" } }
  }
  expect_failures = [var.roles]
}

run "longer_than_iam_takes" {
  command = plan
  module { source = "../../modules/aws/ci-oidc" }
  variables {
    repository = "octo/shop"
    roles = {
      drill = {
        environment = join("", [for _ in range(250) : "e"])
        policy      = "{}"
        ref         = "refs/heads/${join("", [for _ in range(600) : "b"])}"
        workflow    = "w.yml"
      }
    }
  }
  expect_failures = [aws_iam_role.job["drill"]]
}

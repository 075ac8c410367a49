# Service accounts whose names would widen a trust are refused.

mock_provider "aws" {}

variables {
  name                 = "aegis"
  account              = "123456789012"
  partition            = "aws"
  cluster_oidc_issuer  = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
  cluster_arns         = []
  namespace            = "aegis"
  permissions_boundary = null
  roles                = { api = { service_account = "aegis", policy = "{}" } }
}

run "good" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }

  assert {
    condition     = length(jsondecode(aws_iam_role.pod["api"].assume_role_policy).Statement) == 2
    error_message = "Pod Identity, and the cluster's own issuer."
  }
}

run "one_cluster" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables { cluster_arns = ["arn:aws:eks:eu-central-1:123456789012:cluster/shop"] }

  assert {
    condition     = jsonencode(jsondecode(aws_iam_role.pod["api"].assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/eks-cluster-arn"]) == jsonencode(var.cluster_arns)
    error_message = "Pods of another cluster of the account do not get in."
  }
  assert {
    condition     = jsondecode(aws_iam_role.pod["api"].assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-namespace"] == "aegis"
    error_message = "Nor do those of another namespace."
  }
}

run "by_the_issuer_alone" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables {
    roles = { secrets = { service_account = "aegis-secrets", policy = "{}", pod_identity = false } }
  }

  assert {
    condition     = jsondecode(aws_iam_role.pod["secrets"].assume_role_policy).Statement[*].Sid == ["ClusterIssuer"]
    error_message = "No agent on a node takes the role."
  }
}

run "by_nobody" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables {
    cluster_oidc_issuer = null
    roles               = { secrets = { service_account = "aegis-secrets", policy = "{}", pod_identity = false } }
  }
  expect_failures = [aws_iam_role.pod["secrets"]]
}

run "any_cluster" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables { cluster_arns = ["*"] }
  expect_failures = [var.cluster_arns]
}

run "any_namespace" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables { namespace = "*" }
  expect_failures = [var.namespace]
}

run "any_account" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables {
    roles = { api = { service_account = "*", policy = "{}" } }
  }
  expect_failures = [var.roles]
}

run "any_issuer" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables { cluster_oidc_issuer = "oidc.eks.eu-central-1.amazonaws.com/id/*" }
  expect_failures = [var.cluster_oidc_issuer]
}

run "issuer_with_scheme" {
  command = plan
  module { source = "../../modules/aws/workload-identity" }
  variables { cluster_oidc_issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC" }
  expect_failures = [var.cluster_oidc_issuer]
}

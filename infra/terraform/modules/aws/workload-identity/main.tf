# Roles that single service accounts of one namespace can take: by EKS Pod Identity unless a role says no, and by the
# cluster's own OIDC issuer where it is given. https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html

locals {
  irsa = var.cluster_oidc_issuer == null ? [] : [var.cluster_oidc_issuer]

  trusts = {
    for id, role in var.roles : id => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [for _ in role.pod_identity ? ["by the agent"] : [] : {
          Sid       = "PodIdentity"
          Effect    = "Allow"
          Principal = { Service = "pods.eks.amazonaws.com" }
          Action    = ["sts:AssumeRole", "sts:TagSession"]
          Condition = {
            StringEquals = merge(
              {
                "aws:SourceAccount"                         = var.account
                "aws:RequestTag/kubernetes-namespace"       = var.namespace
                "aws:RequestTag/kubernetes-service-account" = role.service_account
              },
              length(var.cluster_arns) == 0 ? {} : { "aws:RequestTag/eks-cluster-arn" = var.cluster_arns },
            )
          }
        }],
        [for issuer in local.irsa : {
          Sid       = "ClusterIssuer"
          Effect    = "Allow"
          Principal = { Federated = "arn:${var.partition}:iam::${var.account}:oidc-provider/${issuer}" }
          Action    = ["sts:AssumeRoleWithWebIdentity"]
          Condition = {
            StringEquals = {
              "${issuer}:aud" = "sts.amazonaws.com"
              "${issuer}:sub" = "system:serviceaccount:${var.namespace}:${role.service_account}"
            }
          }
        }],
      )
    })
  }
}

resource "aws_iam_role" "pod" {
  for_each             = var.roles
  name                 = "${var.name}-${each.key}"
  description          = "Service account ${var.namespace}/${each.value.service_account}"
  assume_role_policy   = local.trusts[each.key]
  permissions_boundary = var.permissions_boundary

  lifecycle {
    precondition {
      condition     = each.value.pod_identity || var.cluster_oidc_issuer != null
      error_message = "${each.key} is taken by the cluster's issuer alone, so it needs cluster_oidc_issuer."
    }
    precondition {
      condition     = length(local.trusts[each.key]) <= 2048
      error_message = "The trust policy of ${each.key} has ${length(local.trusts[each.key])} characters; IAM takes 2048."
    }
  }
}

resource "aws_iam_role_policy" "pod" {
  for_each = var.roles
  name     = "may"
  role     = aws_iam_role.pod[each.key].id
  policy   = each.value.policy
}

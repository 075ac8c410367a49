# Roles that single jobs of one GitHub repository can take, without any stored key.
#
# The subject names repository and environment, in both forms that GitHub uses: by name, and with the ids that stay when
# a repository is renamed. Nothing is a wildcard. https://docs.github.com/actions/reference/security/oidc

locals {
  issuer   = "token.actions.githubusercontent.com"
  provider = "arn:${var.partition}:iam::${var.account}:oidc-provider/${local.issuer}"
  owner    = split("/", var.repository)[0]
  name     = split("/", var.repository)[1]

  trusts = {
    for id, role in var.roles : id => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "GitHub"
        Effect    = "Allow"
        Principal = { Federated = local.provider }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = merge(
            {
              "${local.issuer}:aud" = "sts.amazonaws.com"
              "${local.issuer}:sub" = [
                "repo:${local.owner}/${local.name}:environment:${role.environment}",
                "repo:${local.owner}@${var.owner_id}/${local.name}@${var.repository_id}:environment:${role.environment}",
              ]
              "${local.issuer}:repository_id" = var.repository_id
              "${local.issuer}:environment"   = role.environment
            },
            # a job of a pull request has a ref of its own, so a role for them asks for none
            role.ref == null ? {} : {
              "${local.issuer}:ref"              = role.ref
              "${local.issuer}:job_workflow_ref" = "${var.repository}/.github/workflows/${role.workflow}@${role.ref}"
            },
          )
        }
      }]
    })
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.create_provider ? 1 : 0
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "job" {
  for_each             = var.roles
  name                 = "${var.name}-${each.key}"
  description          = "Job in environment ${each.value.environment} of ${var.repository}"
  assume_role_policy   = local.trusts[each.key]
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary

  lifecycle {
    precondition {
      # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
      condition     = length(local.trusts[each.key]) <= 2048
      error_message = "The trust policy of ${each.key} has ${length(local.trusts[each.key])} characters; IAM takes 2048. Shorten the environment's or the workflow's name."
    }
  }

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "job" {
  for_each = var.roles
  name     = "may"
  role     = aws_iam_role.job[each.key].id
  policy   = each.value.policy
}

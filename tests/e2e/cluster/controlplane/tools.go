//go:build tools

package main

import _ "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"

//go:build tools

// Package engine pins the Pulumi CLI that Spoq builds where a release can't be downloaded.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"

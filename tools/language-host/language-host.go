//go:build tools

// Package languagehost pins the Node.js language host, so that a bare `pulumi preview` can run our program.
// v3.60.0 is the last release of the SDK module that holds its source.
package languagehost

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"

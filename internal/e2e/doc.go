// Package e2e tests the built program from outside, as users meet it: command lines in, exit codes, messages and files
// out, and nothing left behind. It has no code of its own.
package e2e

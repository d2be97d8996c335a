// Package testkit is what the tests of several packages share: a small camera whose datagrams are easy to check, the
// places of interpreter, scripts and sample data, and a check that a test leaves nothing behind.
//
// It is imported by tests only.
package testkit

// Package report says in numbers what a set of constants is like, and how two differ.
//
// It reads sets and keeps nothing of them.
package report

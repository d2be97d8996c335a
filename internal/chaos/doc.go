// Package chaos makes the faults of the catalogue happen to the built program, with real processes, real shared memory
// and real files, and proves afterwards, by content, that each event that went in has exactly one outcome. It has no code
// of its own, only tests; docs/testing.md says how they are run.
package chaos

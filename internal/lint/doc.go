// Package lint holds tests on the source tree itself: what may import what, how long things may be, where comments
// stand, and what must not be mentioned. It has no code of its own. Each rule is also tried on small inputs that break
// it, so that a rule that finds nothing is known to look.
package lint

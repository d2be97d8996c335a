// Package bench measures this machine and what drp makes of it. Every figure stands beside a limit measured in the same
// run, because machines differ and are shared: a bar is a ratio to such a limit, never a time. Figures are medians of
// several rounds, in which the things compared take turns.
package bench

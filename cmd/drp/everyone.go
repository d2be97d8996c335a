package main

import (
	"errors"
	"fmt"
	"sync"

	"drp/watch"
)

// process is one of several, as JSON names it.
type process struct {
	PID    int    `json:"pid"`
	Script string `json:"script"`
	Source string `json:"source"`
}

func (s *seen) process() process { return process{s.status.PID, s.status.Script, s.status.Source} }

// String is what people read.
func (p process) String() string {
	return printable(fmt.Sprintf("process %d (%s on %s)", p.PID, p.Script, p.Source))
}

// answer is what one of several processes has said.
type answer[T any] struct {
	seen
	got T
	err error
}

// askEach asks all at once, so that a change comes to all at nearly the same time, and gives the answers in the same order.
func askEach[T any](all []seen, ask func(i int, c *watch.Client) (T, error)) []answer[T] {
	answers := make([]answer[T], len(all))
	var asking sync.WaitGroup
	for i := range all {
		answers[i].seen = all[i]
		asking.Go(func() { answers[i].got, answers[i].err = ask(i, all[i].client) })
	}
	asking.Wait()
	return answers
}

// refuses tells whether a process has said no: else it was not heard, and may have done what it was asked to.
func refuses(err error) bool {
	var refused *watch.RefusedError
	return errors.As(err, &refused)
}

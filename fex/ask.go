package fex

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"drp/internal/world"
)

// overdue ends a child that is still at it after a time, with its stacks in the log; the function returned calls it off.
func overdue(w world.World, p Process, allowed time.Duration) func() {
	var done atomic.Bool
	stop := w.After(allowed, func() {
		p.DumpStack()
		w.After(stackTime, func() {
			if !done.Load() {
				p.Kill()
			}
		})
	})
	return func() {
		done.Store(true)
		stop()
	}
}

// replay shows a transition of the past to a child.
func replay(p Process, k *keptTransition) error {
	return ask(p, k.record(), k.dgram)
}

// record announces a transition of the past.
func (k *keptTransition) record() record {
	return record{kind: kindReplay, bytes: uint32(len(k.dgram)), transition: uint32(k.id), time: k.time}
}

// errDeferred is what a spare says whose script wants to know first which worker it is.
var errDeferred = errors.New("fex: the script asks which worker it is")

// ask sends a record with what follows it, and waits for the answer.
func ask(p Process, r record, more []byte) error {
	broken, err := exchange(p, r, more)
	if broken != nil {
		return p.NotStarted(broken)
	}
	return err
}

// exchange is ask for who looks himself what befell a child by which the pipes broke.
func exchange(p Process, r record, more []byte) (broken, err error) {
	if err := p.Write(append(r.append(nil), more...)); err != nil {
		return err, nil
	}
	buf := make([]byte, recordBytes)
	if err := readFull(p, buf); err != nil {
		return err, nil
	}
	kind := r.kind
	switch r.parse(buf); {
	case r.kind == kind && r.status == uint8(OK):
		return nil, nil
	case r.kind == kindReplay && kind == kindReplay && r.status == uint8(Rejected):
		return nil, errDeferred
	case r.kind == kind:
		return nil, fmt.Errorf("fex: the script failed when transition %d was replayed to a new child", r.transition)
	}
	return nil, &languageError{}
}

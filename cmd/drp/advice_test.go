package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"drp/drp"
)

func TestAdvice(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{&drp.Failure{Kind: drp.General, Err: fmt.Errorf("fex: %w", os.NewSyscallError("pipe2", syscall.EMFILE))}, "ulimit -n"},
		{syscall.ENFILE, "fs.file-max"},
		{&os.PathError{Op: "fork/exec", Path: "/bin/sh", Err: syscall.EAGAIN}, "ulimit -u"},
		{fmt.Errorf("shm: attach segment 5: %w", syscall.ENOMEM), "ulimit -v"},
	} {
		if got := advice(test.err); !strings.Contains(got, test.want) {
			t.Errorf("%v: %q", test.err, got)
		}
	}
	if got := advice(errors.New("anything else")); got != "" {
		t.Errorf("%q", got)
	}
}

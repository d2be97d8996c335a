package drp

import "fmt"

// Kind says whose trouble it is; the command makes its exit code of it.
type Kind int

// The kinds of trouble. The numbers are exit codes and documented.
const (
	General       Kind = 1
	Usage         Kind = 2
	Configuration Kind = 3
	SourceTrouble Kind = 4
	Script        Kind = 5
	Loss          Kind = 6
	GPU           Kind = 7 // demanded, and there is none
	Interrupted   Kind = 130
)

// Failure is an error with its kind.
type Failure struct {
	Kind Kind
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

func fail(kind Kind, err error) error {
	if err == nil {
		return nil
	}
	return &Failure{Kind: kind, Err: err}
}

func failf(kind Kind, format string, args ...any) error {
	return &Failure{Kind: kind, Err: fmt.Errorf(format, args...)}
}

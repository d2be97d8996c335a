package main

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drp/drp"
)

// size is a flag for a number of bytes, which may be written with a unit: 500MB, 1GiB. A bare number counts in unit.
type size[T int | int64] struct {
	bytes *T
	unit  int64
}

// bytesVar defines a flag whose bare numbers are bytes.
func bytesVar[T int | int64](fl *pflag.FlagSet, to *T, name, usage string) {
	fl.Var(size[T]{to, 1}, name, usage)
}

var sizePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$`)

// units are those that mean one thing only: K alone may be 1000 or 1024.
var units = map[string]int64{"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
	"tib": 1 << 40}

var errSize = errors.New("give a number of bytes, such as 1048576, 500MB or 1GiB")

func (s size[T]) Set(text string) error {
	words := sizePattern.FindStringSubmatch(text)
	if words == nil {
		return errSize
	}
	unit := s.unit
	if words[2] != "" {
		if unit = units[strings.ToLower(words[2])]; unit == 0 {
			return errSize
		}
	}
	if n, err := strconv.ParseInt(words[1], 10, 64); err == nil && n <= math.MaxInt64/unit && int64(T(n*unit)) == n*unit {
		*s.bytes = T(n * unit)
		return nil
	}
	const exact = 1 << 53
	n, err := strconv.ParseFloat(words[1], 64)
	if err != nil || n*float64(unit) > exact || !strings.Contains(words[1], ".") || words[2] == "" {
		return errSize
	}
	*s.bytes = T(math.Round(n * float64(unit)))
	return nil
}

func (s size[T]) String() string {
	if s.bytes == nil {
		return "0"
	}
	return strconv.FormatInt(int64(*s.bytes)/s.unit, 10)
}

// Type is what the help calls it.
func (s size[T]) Type() string {
	if s.unit == 1<<20 {
		return "MB"
	}
	return "bytes"
}

// wanted says what the values of flags look like, in other words than those of the library that reads them.
var wanted = map[string]string{
	"int": "give a whole number", "int64": "give a whole number", "uint64": "give a whole number from 0 on",
	"float64": "give a number", "bool": "give true or false", "duration": "give a time with its unit, such as 500ms, 30s or 1h30m",
}

// plainly says in plain words what is wrong with a value.
func plainly(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	words, known := wanted[bad.GetFlag().Value.Type()]
	if !known {
		words = errors.Unwrap(bad).Error()
	}
	return fmt.Errorf("invalid argument %q for \"--%s\": %s", bad.GetValue(), bad.GetFlag().Name, words)
}

// Bounds of times that make sense.
const (
	shortestDeadline = 100 * time.Millisecond // silence is looked at ten times a second
	shortestChunk    = time.Second
)

// checkValues refuses what a run would take for something else than was meant: a value that stands for "not given" and
// was given, and times that cannot be kept.
func checkValues(fl *pflag.FlagSet, cfg *drp.Config, f *runFlags) error {
	for _, name := range []string{"slots", "buf-bytes", "fex-bytes", "transition-bytes"} {
		if flag := fl.Lookup(name); flag.Changed && flag.Value.String() == "0" {
			return fmt.Errorf("--%s 0: give a number above 0, or leave the flag out, and what a run needs is taken", name)
		}
	}
	switch {
	case fl.Changed("partition") && f.partition == "":
		return errors.New("--partition: give a name, or leave the flag out")
	case fl.Changed("trigger-deadline") && f.trigger.deadline <= 0:
		return errors.New("--trigger-deadline is a time above 0")
	case cfg.EventDeadline < shortestDeadline:
		return fmt.Errorf("--deadline %v: give %v or more", cfg.EventDeadline, shortestDeadline)
	case cfg.SoftDeadline != 0 && cfg.SoftDeadline < shortestDeadline:
		return fmt.Errorf("--soft-deadline %v: give %v or more, or 0 for none", cfg.SoftDeadline, shortestDeadline)
	case fl.Changed("soft-deadline") && cfg.SoftDeadline > cfg.EventDeadline:
		return fmt.Errorf("--soft-deadline %v is above --deadline %v, at which the process is ended: give less, or 0 for none",
			cfg.SoftDeadline, cfg.EventDeadline)
	case cfg.ChunkTime != 0 && cfg.ChunkTime < shortestChunk:
		return fmt.Errorf("--chunk-time %v: give %v or more, or 0 for one file", cfg.ChunkTime, shortestChunk)
	}
	return nil
}

// someFiles makes a command ask for files in a sentence of ours.
func someFiles(what, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s: name %s, as in: %s", cmd.CommandPath(), what, example)
		}
		return nil
	}
}

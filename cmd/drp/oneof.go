package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// oneOf is a flag for one of a few words. What is none is refused where it is read, so that of a file the line is named.
type oneOf struct {
	to    *string
	words []string
}

// oneOfVar defines one; the first word is what holds where it is not given.
func oneOfVar(fl *pflag.FlagSet, to *string, name, usage string, words ...string) {
	*to = words[0]
	fl.Var(oneOf{to, words}, name, usage)
}

// Set implements pflag.Value.
func (c oneOf) Set(text string) error {
	if !slices.Contains(c.words, text) {
		last := len(c.words) - 1
		return errors.New("give " + strings.Join(c.words[:last], ", ") + " or " + c.words[last])
	}
	*c.to = text
	return nil
}

// String implements pflag.Value.
func (c oneOf) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

// Type is what the help calls it.
func (oneOf) Type() string { return "string" }

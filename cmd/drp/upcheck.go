package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// notHere are flags of a run that it refuses with run control, and why.
var notHere = map[string]string{"events": "run control says when a run ends", "run": "run control gives runs their numbers"}

// value gives a flag of a command line, which is the last of its name.
func (l *launch) value(name string) (value string) {
	for _, a := range l.args {
		if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			value = v
		}
	}
	return value
}

// check finds what each process would refuse only when it is started.
func (p *partitionFile) check() error {
	for _, c := range p.control {
		f := &serviceFlags{}
		cmd := &cobra.Command{}
		f.add(cmd)
		if err := cmd.ParseFlags(c.args); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", p.path, c.line, c.name, err)
		}
		if _, err := f.doors(); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", p.path, c.line, c.name, err)
		}
	}
	for _, l := range p.teb {
		if err := p.present(l, "trigger"); err != nil {
			return err
		}
	}
	written := map[string]string{}
	for _, l := range p.drp {
		if err := p.present(l, "script"); err != nil {
			return err
		}
		output := l.value("output")
		if output == "" {
			continue
		}
		files := strings.Join([]string{output, l.value("expt"), l.value("stream")}, "\n")
		if other := written[files]; other != "" {
			return fmt.Errorf("%s:%d: %s and %s write the same files: give each another stream, or another output", p.path, l.line, other, l.name)
		}
		written[files] = l.name
	}
	return nil
}

// present tells whether the file is there that a process cannot do without.
func (p *partitionFile) present(l *launch, flag string) error {
	text := l.value(flag)
	if text == "" {
		text = os.Getenv(envName(flag))
	}
	if _, err := os.Stat(text); err == nil {
		return nil // also a name with spaces
	}
	words, err := splitWords(text)
	if err == nil && len(words) == 0 {
		err = fmt.Errorf("give it a file: %s: FILE", flag)
	}
	if err == nil {
		_, err = os.Stat(words[0])
	}
	if err != nil {
		return fmt.Errorf("%s:%d: %s: %s: %w", p.path, l.line, l.name, flag, err)
	}
	return nil
}

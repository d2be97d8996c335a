package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"drp/drp"
	userscript "drp/internal/script"
	"drp/teb"
	"drp/teb/script"
)

// ruleFile is what a trigger goes by, as scripts/trigger_expr.yaml has it.
type ruleFile struct {
	Rules        []teb.Rule     `yaml:"rules"`
	Script       string         `yaml:"script"`   // with its arguments, in the place of the rules; from the folder of the file
	Prescale     map[int]uint32 `yaml:"prescale"` // by readout group
	Seed         uint64         `yaml:"prescale_seed"`
	Contributors []string       `yaml:"contributors"` // that a stand-alone one waits for

	groups [16]uint32
	folder string // where the script is looked for
}

// readRules reads a file of rules; a text whose first word ends in .py is a script with its arguments.
func readRules(text string) (r ruleFile, err error) {
	if words, err := splitWords(text); err == nil && len(words) > 0 && strings.HasSuffix(words[0], ".py") {
		return ruleFile{Script: text}, nil
	}
	return readRuleFile(text)
}

func readRuleFile(path string) (r ruleFile, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		return r, fmt.Errorf("%s: %s", path, unmasked(misread(err)))
	}
	switch {
	case len(r.Rules) > 0 && r.Script != "":
		return r, fmt.Errorf("%s: there are rules: and a script: in it, and one of them decides", path)
	case len(r.Rules) == 0 && r.Script == "":
		return r, fmt.Errorf("%s: there are no rules in it: rules: is a list of name, when, persist and monitor (docs/teb.md)", path)
	}
	for group, n := range r.Prescale {
		if group < 0 || group >= len(r.groups) {
			return r, fmt.Errorf("%s: prescale: there is no readout group %d: give 0 to %d", path, group, len(r.groups)-1)
		}
		r.groups[group] = n
	}
	r.folder = filepath.Dir(path)
	return r, nil
}

// unmasked shows what a terminal would obey, as the file may hold anything.
func unmasked(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r != '\n' && (!strconv.IsPrint(r) || r == utf8.RuneError) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// misread says what is wrong with a file, and where. Of a value of the wrong type the library would name types of Go.
func misread(err error) string {
	text := yaml.FormatError(err, false, true)
	var wrong *yaml.TypeError
	var large *yaml.OverflowError
	var belongs reflect.Type
	switch {
	case errors.As(err, &wrong):
		belongs = wrong.DstType
	case errors.As(err, &large):
		belongs = large.DstType
	default:
		return text
	}
	what := map[reflect.Kind]string{reflect.Bool: "true or false", reflect.String: "a text", reflect.Slice: "a list",
		reflect.Map: "a mapping, key: value,"}[belongs.Kind()]
	if what == "" {
		what = "a whole number from 0 on that fits"
	}
	where, source, _ := strings.Cut(text, "\n")
	if at := strings.Index(where, "] "); at >= 0 {
		where = where[:at+2]
	}
	return where + what + " belongs here\n" + source
}

// unfit is the error of rules or a script that a flag names; of a wrong command line it stays that.
func unfit(flag string, err error) error {
	if errors.Is(err, errNoProcesses) {
		return err
	}
	return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("%s: %w", flag, err)}
}

// checkWorkers refuses what no trigger can have.
func checkWorkers(n int) error {
	if n < 1 || n > script.MaxWorkers {
		return fmt.Errorf("--trigger-workers %d: give 1 to %d", n, script.MaxWorkers)
	}
	return nil
}

var errNoProcesses = errors.New("--trigger-workers is about a trigger script, and rules decide")

// decidingScript is the script that decides in so many processes, nil where rules do. The file is looked at, and not run.
func (r *ruleFile) decidingScript(workers int) (*script.Config, error) {
	if r.Script == "" && workers != 1 {
		return nil, errNoProcesses
	}
	if r.Script == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	words, err := splitWords(r.Script)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || !strings.HasSuffix(words[0], ".py") {
		return nil, fmt.Errorf("script: %q is no script: give its file, NAME.py, and arguments", r.Script)
	}
	path := words[0]
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.folder, path)
	}
	info, err := userscript.Examine(path)
	if err != nil {
		return nil, err
	}
	return &script.Config{Script: info.Path, Args: words[1:], Workers: workers}, nil
}

// runner is what a script of a trigger runs with.
type runner struct {
	python   string // as named; empty is looked for
	workers  int
	deadline time.Duration
	log      *slog.Logger
	trouble  func(string) // told what is wrong though it goes on; may be nil
}

// Of the processes of a script outside a run.
const (
	triggerSpares      = 1
	triggerMaxRestarts = 60
)

// check finds what is wrong with what decides before it is known about what. A script is not run.
func (r *ruleFile) check(with runner) error {
	if _, err := r.logic(with); err != nil || r.Script == "" {
		return err
	}
	c, err := r.decidingScript(with.workers)
	if err != nil {
		return err
	}
	python, err := drp.FindPython(with.python)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(c.Script)
	if err != nil {
		return err
	}
	return userscript.Compiles(python, c.Script, text)
}

// logic makes what decides.
func (r *ruleFile) logic(with runner) ([]teb.Logic, error) {
	c, err := r.decidingScript(with.workers)
	if err != nil {
		return nil, err
	}
	if c == nil {
		x := teb.NewExpression(r.Rules)
		x.Log = with.log
		return []teb.Logic{x}, nil
	}
	if c.Python, err = drp.FindPython(with.python); err != nil {
		return nil, err
	}
	c.Trouble = with.trouble
	c.PythonPath, c.Deadline, c.Log, c.Spares, c.MaxRestarts = drp.PythonPath(), with.deadline, with.log, triggerSpares, triggerMaxRestarts
	return script.New(*c), nil
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"

	"drp/drp"
	"drp/internal/nearest"
)

// applySettings sets the flags that were not given, from the environment or from the YAML file, in this order.
func applySettings(flags *pflag.FlagSet, path string) error {
	path = configPath(path)
	settings, err := readSettings(flags, path)
	if err != nil {
		return &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	warnOfStrangers(flags)
	return settle(flags, path, settings, func(flag *pflag.Flag) (set bool, err error) {
		value, ok := os.LookupEnv(envName(flag.Name))
		if !ok {
			return false, nil
		}
		if err := flags.Set(flag.Name, value); err != nil {
			return true, fmt.Errorf("environment variable %s=%q: %w", envName(flag.Name), value, plainly(err))
		}
		return true, nil
	})
}

// applyFile sets the flags that were not given from the YAML file alone: the environment is for runs.
func applyFile(flags *pflag.FlagSet, path string) error {
	settings, err := readSettings(flags, path)
	if err != nil {
		return &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	return settle(flags, path, settings, func(*pflag.Flag) (bool, error) { return false, nil })
}

// settle sets the flags that were not given from what a file has, unless something else sets them before.
func settle(flags *pflag.FlagSet, path string, settings map[string][]setting, before func(*pflag.Flag) (bool, error)) (trouble error) {
	flags.VisitAll(func(flag *pflag.Flag) {
		if layered, ok := flag.Value.(layered); ok {
			layered.below(path, settings)
			return
		}
		if flag.Changed || trouble != nil {
			return
		}
		set, err := before(flag)
		if set || err != nil {
			trouble = err
			return
		}
		for _, s := range settings[flag.Name] {
			if err := flags.Set(flag.Name, s.value); err != nil {
				trouble = fmt.Errorf("%s:%d: %s: %w", path, s.line, flag.Name, plainly(err))
			}
			_ = flags.SetAnnotation(flag.Name, givenAt, []string{fmt.Sprintf("%s:%d", path, s.line)}) // it is there
		}
	})
	if trouble != nil {
		return &drp.Failure{Kind: drp.Configuration, Err: trouble}
	}
	return nil
}

// givenAt is the annotation of a flag with the line of a file that has set it.
const givenAt = "given at"

// placed names that line where what is wrong begins with the flag, as what is found when all flags are known.
func placed(flags *pflag.FlagSet, err error) error {
	if err == nil {
		return nil
	}
	name, named := strings.CutPrefix(err.Error(), "--")
	end := strings.IndexFunc(name, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
	if !named || end < 0 {
		return err
	}
	flag := flags.Lookup(name[:end])
	if flag == nil || flag.Annotations[givenAt] == nil {
		return err
	}
	kind := drp.Configuration
	if f := (*drp.Failure)(nil); errors.As(err, &f) && f.Kind != drp.Usage {
		kind = f.Kind
	}
	return &drp.Failure{Kind: kind, Err: fmt.Errorf("%s: %w", flag.Annotations[givenAt][0], err)}
}

// layered is a flag of many values: those of the command line take the place of equal ones in the file, not of all.
type layered interface {
	below(path string, settings map[string][]setting)
}

// configPath is that of the YAML file, which the environment can name, too.
func configPath(named string) string {
	return cmp.Or(named, os.Getenv(envName("config")))
}

// warnOfStrangers points at variables that look like settings and are none.
func warnOfStrangers(flags *pflag.FlagSet) {
	known := map[string]bool{ // of the Python package, the tests and drp calib
		"DRP_FILES": true, "DRP_OUT": true, "DRP_TESTDATA": true, "DRP_CALIB": true, "DRP_CALIB_TOKEN": true, controlToken: true,
	}
	flags.VisitAll(func(flag *pflag.Flag) { known[envName(flag.Name)] = true })
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "DRP_") && !strings.HasPrefix(name, "DRP_TEST_") && !known[name] {
			fmt.Fprintf(os.Stderr, "drp: the environment variable %s is no setting and is ignored\n", name)
		}
	}
}

func envName(flag string) string {
	return "DRP_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

type setting struct {
	value string
	line  int
}

// readSettings reads a YAML mapping of flag names to values; a list gives a flag several times.
func readSettings(flags *pflag.FlagSet, path string) (map[string][]setting, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	settings := map[string][]setting{}
	for _, doc := range file.Docs {
		var pairs []*ast.MappingValueNode
		switch body := doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
		case *ast.MappingNode:
			pairs = body.Values
		case *ast.MappingValueNode:
			pairs = []*ast.MappingValueNode{body}
		default:
			return nil, fmt.Errorf("%s:%d: a mapping of flag names to values is wanted, like \"workers: 8\"", path,
				body.GetToken().Position.Line)
		}
		for _, pair := range pairs {
			if err := addSetting(settings, flags, path, pair); err != nil {
				return nil, err
			}
		}
	}
	return settings, nil
}

func addSetting(settings map[string][]setting, flags *pflag.FlagSet, path string, pair *ast.MappingValueNode) error {
	key, line := pair.Key.GetToken().Value, pair.Key.GetToken().Position.Line
	if key == settingsKey {
		found, err := liveSettings(path, pair.Value)
		settings[setName] = found
		return err
	}
	flag := flags.Lookup(key)
	if key == "config" {
		return fmt.Errorf("%s:%d: %s is for the command line alone: leave it out here", path, line, key)
	}
	if flag == nil || key == "help" {
		return fmt.Errorf("%s:%d: unknown key %q%s", path, line, key, didYouMean(flags, key))
	}
	if _, twice := settings[key]; twice {
		return fmt.Errorf("%s:%d: %q is set a second time", path, line, key)
	}
	if key == "hits" {
		found, err := hitSettings(path, pair.Value)
		settings[key] = found
		return err
	}
	values := []ast.Node{pair.Value}
	if list, ok := pair.Value.(*ast.SequenceNode); ok {
		if _, many := flag.Value.(pflag.SliceValue); !many || len(list.Values) == 0 {
			return fmt.Errorf("%s:%d: %s: a single value is wanted", path, line, key)
		}
		values = list.Values
	}
	for _, v := range values {
		value, ok := scalarText(v)
		if !ok {
			return fmt.Errorf("%s:%d: %s: a single value is wanted", path, line, key)
		}
		settings[key] = append(settings[key], setting{value: value, line: v.GetToken().Position.Line})
	}
	return nil
}

// scalarText gives a value as it is written, so that a flag means the same in the file and on the command line.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// didYouMean names the flag that differs least, if it is near.
func didYouMean(flags *pflag.FlagSet, word string) string {
	var names []string
	flags.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	best := nearest.Of(word, names)
	if best == "" {
		return "; drp --help lists the keys"
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// decimal is a number that may be written with leading zeros, as in the names of files: 0014 is 14 and not octal.
type decimal int

func (d *decimal) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New(wanted[d.Type()])
	}
	*d = decimal(n)
	return nil
}

func (d *decimal) String() string { return strconv.Itoa(int(*d)) }

// Type is what the help calls it.
func (d *decimal) Type() string { return "int" }

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"

	"drp/control"
	"drp/drp"
	"drp/internal/rundir"
)

// launch is a process that is started with others.
type launch struct {
	name string
	verb []string // before the flags: none for a run
	args []string // flags as they stand in the file, and those that belong to the partition
	own  map[string]bool
	line int
}

// partitionFile says which processes make up a partition, as scripts/partition.yaml does.
type partitionFile struct {
	path      string
	partition string
	folder    string // of logs and journal
	control   []*launch
	teb       []*launch
	drp       []*launch
	defaults  []string // flags of every run
	shared    map[string]bool
}

// readPartition reads and checks such a file: every flag is known, has a value that can be, and is not one that follows
// from the rest.
func readPartition(path string) (*partitionFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p := &partitionFile{path: path}
	if len(file.Docs) != 1 {
		return nil, fmt.Errorf("%s: one document is wanted, with partition, folder, and the processes", path)
	}
	pairs, err := mapping(path, file.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		if err := p.take(pair); err != nil {
			return nil, err
		}
	}
	return p, p.complete()
}

// mapping gives the pairs of a node that has some.
func mapping(path string, node ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	case nil, *ast.NullNode:
		return nil, nil
	}
	return nil, fmt.Errorf("%s:%d: a mapping is wanted, like \"workers: 8\"", path, node.GetToken().Position.Line)
}

// take takes one pair of the outermost mapping.
func (p *partitionFile) take(pair *ast.MappingValueNode) (err error) {
	key, line := pair.Key.GetToken().Value, pair.Key.GetToken().Position.Line
	words := map[string]*string{"partition": &p.partition, "folder": &p.folder}
	if to := words[key]; to != nil {
		value, ok := scalarText(pair.Value)
		if !ok || value == "" || *to != "" {
			return fmt.Errorf("%s:%d: %s: a single value is wanted", p.path, line, key)
		}
		*to = value
		return nil
	}
	switch key {
	case "defaults":
		p.defaults, p.shared, err = p.flags(pair.Value, newRunCommand().Flags())
	case "control":
		c := &launch{name: "control", verb: []string{"control"}, line: line}
		c.args, c.own, err = p.flags(pair.Value, newControlCommand().Flags())
		p.control = append(p.control, c)
	case "teb":
		p.teb, err = p.launches(pair.Value, []string{"teb"}, func() *pflag.FlagSet { return newTEBCommand().Flags() })
	case "drp":
		p.drp, err = p.launches(pair.Value, nil, func() *pflag.FlagSet { return newRunCommand().Flags() })
	default:
		err = fmt.Errorf("%s:%d: unknown key %q: there are partition, folder, control, teb, defaults and drp", p.path, line, key)
	}
	return err
}

// launches reads processes by their names.
func (p *partitionFile) launches(node ast.Node, verb []string, flags func() *pflag.FlagSet) (all []*launch, err error) {
	pairs, err := mapping(p.path, node)
	if err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		l := &launch{name: pair.Key.GetToken().Value, verb: verb, line: pair.Key.GetToken().Position.Line}
		if !control.ValidName(l.name) || l.name == "control" {
			return nil, fmt.Errorf("%s:%d: %q is no name of a process: give letters, digits, '_', '.' and '-', and not control", p.path,
				l.line, l.name)
		}
		if l.args, l.own, err = p.flags(pair.Value, flags()); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// ours are the flags that follow from where a process stands in the file.
var ours = []string{"partition", "control", "process", "processes", "contributor", "contributors", "teb"}

// flags reads the flags of a process, and gives them as they stand on a command line.
func (p *partitionFile) flags(node ast.Node, known *pflag.FlagSet) (args []string, own map[string]bool, err error) {
	pairs, err := mapping(p.path, node)
	if err != nil {
		return nil, nil, err
	}
	settings, own := map[string][]setting{}, map[string]bool{}
	for _, pair := range pairs {
		name, line := pair.Key.GetToken().Value, pair.Key.GetToken().Position.Line
		if slices.Contains(ours, name) {
			return nil, nil, fmt.Errorf("%s:%d: %s follows from the rest: leave it out", p.path, line, name)
		}
		if why := notHere[name]; why != "" {
			return nil, nil, fmt.Errorf("%s:%d: %s: %s: leave it out", p.path, line, name, why)
		}
		if err := addSetting(settings, known, p.path, pair); err != nil {
			return nil, nil, err
		}
		own[name] = true
		for _, s := range settings[name] {
			if err := known.Set(name, s.value); err != nil {
				return nil, nil, fmt.Errorf("%s:%d: %s: %w", p.path, s.line, name, plainly(err))
			}
			args = append(args, "--"+name+"="+s.value)
		}
	}
	return args, own, nil
}

// complete adds the flags that follow from the rest.
func (p *partitionFile) complete() error {
	switch {
	case p.partition == "":
		return fmt.Errorf("%s: the partition has no name: partition: NAME", p.path)
	case p.folder == "":
		return fmt.Errorf("%s: there is no folder for logs and the journal: folder: out/%s", p.path, p.partition)
	case len(p.drp) == 0:
		return fmt.Errorf("%s: there is no process: drp: is a mapping of names to flags", p.path)
	case len(p.control) == 0:
		p.control = []*launch{{name: "control", verb: []string{"control"}}}
	}
	if err := checkPartition(p.partition); err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	socket, err := controlSocket(p.partition)
	if err != nil {
		return configuration(err)
	}
	var processes, contributors, builders []string
	for _, l := range p.drp {
		contributors = append(contributors, l.name)
	}
	for _, l := range p.teb {
		processes = append(processes, l.name)
		if !l.own["listen"] {
			at := "ipc://" + socket.Path + "@" + l.name
			l.args = append(l.args, "--listen="+at)
		}
		for _, a := range l.args {
			if at, ok := strings.CutPrefix(a, "--listen="); ok {
				builders = append(builders, at)
				break
			}
		}
		l.args = append(l.args, "--contributors="+strings.Join(contributors, ","), "--process="+l.name, "--control="+socket.String())
	}
	if processes = append(processes, contributors...); hasTwice(processes) {
		return fmt.Errorf("%s: two processes have the same name", p.path)
	}
	for i, l := range p.drp {
		l.args = append(p.inherited(l), l.args...)
		if !l.own["stream"] && !p.shared["stream"] {
			l.args = append(l.args, "--stream="+strconv.Itoa(i))
		}
		if len(builders) > 0 {
			l.args = append(l.args, "--teb="+strings.Join(builders, ","), "--contributor="+l.name)
		}
		l.args = append(l.args, "--progress=false", "--process="+l.name, "--control="+socket.String())
	}
	for _, c := range p.control {
		if !c.own["journal"] {
			c.args = append(c.args, "--journal="+p.file("journal"))
		}
		c.args = append(c.args, "--processes="+strings.Join(processes, ","))
	}
	for _, l := range p.all() {
		l.args = append(l.args, "--partition="+p.partition)
	}
	return nil
}

// inherited are the defaults that a run does not set itself.
func (p *partitionFile) inherited(l *launch) (args []string) {
	for _, a := range p.defaults {
		if name, _, _ := strings.Cut(strings.TrimPrefix(a, "--"), "="); !l.own[name] {
			args = append(args, a)
		}
	}
	return args
}

// all are the processes in the order in which they are started.
func (p *partitionFile) all() []*launch { return slices.Concat(p.control, p.teb, p.drp) }

// file is one in the folder of the partition.
func (p *partitionFile) file(name string) string { return p.folder + string(os.PathSeparator) + name }

func hasTwice(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(slices.Compact(sorted)) < len(names)
}

// words are the whole command line.
func (l *launch) words(program string) []string {
	return slices.Concat([]string{program}, l.verb, l.args)
}

// upFolder is where it is written down what was started.
func upFolder() (string, error) { return rundir.Shared(rundir.Up) }

// readable makes an error of a partition's file one of the configuration.
func readable(p *partitionFile, err error) (*partitionFile, error) {
	if err != nil {
		return nil, &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	return p, nil
}

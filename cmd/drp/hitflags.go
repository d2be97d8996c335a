package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/spf13/pflag"

	"drp/drp"
	"drp/hit"
)

// hitFlags are those of a run that have to do with hits.
type hitFlags struct {
	search  hitsFlag
	fexOn   string
	keepRaw string
}

func (f *hitFlags) add(fl *pflag.FlagSet) {
	fl.Var(&f.search, "hits", "look for hits before the script's turn: `FINDER:name=value,…`, as peakfinder8:min_snr=7,adc_threshold=50; "+
		"docs/hits.md has the parameters (default: none)")
	oneOfVar(fl, &f.fexOn, "fex-on", "show the script all events, or hits only", "all", "hits")
	oneOfVar(fl, &f.keepRaw, "keep-raw", "record the raw pixels of all events, or of hits only", "all", "hits")
}

// complete gives what a run is to know of hits, nil where nobody looks for any.
func (f *hitFlags) complete() (*drp.Hits, error) {
	c, err := f.search.config()
	if err != nil {
		return nil, err
	}
	switch {
	case f.search.takenBack(): // and with it what needs it
		return nil, nil
	case c != nil:
		return &drp.Hits{Config: *c, Only: f.fexOn == "hits", DropRaw: f.keepRaw == "hits"}, nil
	case f.fexOn == "hits":
		return nil, fmt.Errorf("--fex-on hits: nobody looks for hits: give --hits %s, too", hit.Finders[0])
	case f.keepRaw == "hits":
		return nil, fmt.Errorf("--keep-raw hits: nobody looks for hits: give --hits %s, too", hit.Finders[0])
	}
	return nil, nil
}

// hitsFlag is the value of --hits, or of --find. What the flag does not name the environment may, and what neither does the file.
type hitsFlag struct {
	name                    string // of the flag; empty is --hits
	file, environment, flag []wording
}

// wording is what somebody wrote, and where.
type wording struct{ text, where string }

// noHits is how a flag takes back what a file says.
const noHits = "none"

// Set implements pflag.Value.
func (h *hitsFlag) Set(text string) error {
	h.flag = append(h.flag, wording{text, cmp.Or(h.name, "--hits")})
	return nil
}

// Type implements pflag.Value.
func (h *hitsFlag) Type() string { return "hits" }

// String implements pflag.Value.
func (h *hitsFlag) String() string {
	var all []string
	for _, w := range h.flag {
		all = append(all, w.text)
	}
	return strings.Join(all, " ")
}

// below takes what the file and the environment say.
func (h *hitsFlag) below(path string, settings map[string][]setting) {
	for _, s := range settings["hits"] {
		h.file = append(h.file, wording{s.value, fmt.Sprintf("%s:%d", path, s.line)})
	}
	if text, ok := os.LookupEnv(envName("hits")); ok {
		h.environment = []wording{{text, "environment variable " + envName("hits")}}
	}
}

// config reads all that was written, the file first; nil is none.
func (h *hitsFlag) config() (*hit.Config, error) {
	c, chosen := hit.Default(), false
	for level, all := range [][]wording{h.file, h.environment, h.flag} {
		for _, w := range all {
			if chosen = w.text != noHits; !chosen {
				continue
			}
			if err := c.Apply(w.text); err != nil {
				return nil, h.wrong(level, fmt.Errorf("%s: %s", w.where, strings.TrimPrefix(err.Error(), "hits: ")))
			}
		}
	}
	if !chosen {
		return nil, nil
	}
	if c.Finder == "" {
		return nil, h.unnamed()
	}
	return &c, c.Check()
}

// unnamed is the error of who gave parameters, and no finder.
func (h *hitsFlag) unnamed() error {
	for level, all := range [][]wording{h.file, h.environment, h.flag} {
		if len(all) > 0 {
			return h.wrong(level, fmt.Errorf("%s: no finder is named: give one of %s, as finder: %s in a file or %s %[3]s", all[0].where,
				strings.Join(hit.Finders, ", "), hit.Finders[0], cmp.Or(h.name, "--hits")))
		}
	}
	return nil
}

// takenBack tells whether the last word is that nobody looks for hits.
func (h *hitsFlag) takenBack() bool {
	all := slices.Concat(h.file, h.environment, h.flag)
	return len(all) > 0 && all[len(all)-1].text == noHits
}

// wrong is an error in what was written: that of a file or of the environment is one of the configuration.
func (h *hitsFlag) wrong(level int, err error) error {
	if level == 2 {
		return err
	}
	return &drp.Failure{Kind: drp.Configuration, Err: err}
}

// hitSettings reads the section "hits" of a file: one value as that of the flag, or a mapping whose parameters of a finder
// may stand in a mapping of its name.
func hitSettings(path string, node ast.Node) ([]setting, error) {
	if text, ok := scalarText(node); ok {
		return []setting{{text, node.GetToken().Position.Line}}, nil
	}
	var found []setting
	if err := flatten(path, "", node, &found); err != nil {
		return nil, err
	}
	// The finder comes first, since names of parameters are those of its own.
	slices.SortStableFunc(found, func(a, b setting) int {
		return cmp.Compare(strings.Count(a.value, "="), strings.Count(b.value, "="))
	})
	return found, nil
}

func flatten(path, prefix string, node ast.Node, found *[]setting) error {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return fmt.Errorf("%s:%d: hits: names of parameters with their values are wanted, like \"finder: peakfinder8\"", path,
			node.GetToken().Position.Line)
	}
	for _, pair := range pairs {
		name, line := prefix+pair.Key.GetToken().Value, pair.Key.GetToken().Position.Line
		text, single := scalarText(pair.Value)
		if list, ok := pair.Value.(*ast.SequenceNode); ok {
			var parts []string
			join := ":"
			for _, v := range list.Values {
				part, one := scalarText(v)
				if !one {
					if part, join = regionText(v), "+"; part == "" {
						return fmt.Errorf("%s:%d: hits: %s: give rectangles, as {name: ring, segment: 0, rows: [100, 140], cols: [0, 384]}, of a segment "+
							"or, without it, of the first", path, v.GetToken().Position.Line, name)
					}
				}
				parts = append(parts, part)
			}
			text, single = strings.Join(parts, join), true
		}
		switch {
		case single && name == "finder":
			*found = append(*found, setting{text, line})
		case single:
			*found = append(*found, setting{":" + name + "=" + text, line})
		case prefix != "" || name != "radial" && !slices.Contains(hit.Finders, name):
			return fmt.Errorf("%s:%d: hits: %s: a single value is wanted", path, line, name)
		default:
			if err := flatten(path, name+".", pair.Value, found); err != nil {
				return err
			}
		}
	}
	return nil
}

// regionText gives a region of a file, as {name: ring, segment: 0, rows: [100, 140], cols: [0, 384]}, as --hits has it; nothing if it is none.
func regionText(node ast.Node) string {
	parts := map[string]string{"name": "", "segment": "0", "rows": "", "cols": ""}
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	}
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		if _, known := parts[key]; !known {
			return ""
		}
		parts[key] = regionValue(pair.Value)
	}
	for _, part := range parts {
		if part == "" {
			return ""
		}
	}
	return strings.Join([]string{parts["name"], parts["segment"], parts["rows"], parts["cols"]}, "/")
}

// regionValue gives a word, a number, or two as a range; nothing where it is none of these.
func regionValue(node ast.Node) string {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		text, _ := scalarText(node)
		return text
	}
	var ends []string
	for _, v := range list.Values {
		text, _ := scalarText(v)
		if n, err := strconv.Atoi(text); err == nil && n >= 0 {
			ends = append(ends, text)
		}
	}
	if len(ends) != 2 || len(list.Values) != 2 {
		return ""
	}
	return strings.Join(ends, "-")
}

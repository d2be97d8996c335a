package lint

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// module is the prefix of our own import paths.
const module = "drp/"

// layers are the packages from the bottom up: each may import those of lower layers only.
var layers = [][]string{
	{"xtc", "shm"},
	{"internal"},
	{"pebble", "calib"},
	{"source", "hit", "fex", "teb", "record", "control", "monitor", "karabo", "watch"},
	{"teb/script"}, // runs children as fex does
	{"drp"},
	{"page", "web"},
	{"bench", "simtest"},
	{"cmd"},
}

// importers are the only folders that may import a module of others. x/sys stands for the system calls that the standard
// library does not have, which have no one place.
var importers = map[string][]string{
	"github.com/ghetzel/shmtool":     {"shm"},
	"github.com/go-zeromq/zmq4":      {"internal/wire"},
	"github.com/vmihailenco/msgpack": {"internal/wire"},
	"gorgonia.org/cu":                {"hit/cuda"},
	"github.com/expr-lang/expr":      {"teb"},
	"github.com/spf13/cobra":         {"cmd/drp"},
	"github.com/spf13/pflag":         {"cmd/drp"},
	"github.com/goccy/go-yaml":       {"cmd/drp"},
	"github.com/lmittmann/tint":      {"cmd/drp"},
	"golang.org/x/term":              {"cmd/drp"},
	"modernc.org/sqlite":             {"calib/store"},
	"github.com/prometheus":          {"watch"},
	"github.com/schollz/progressbar": {"cmd/drp"},
	"golang.org/x/sys":               {"simtest", "shm", "calib/correct", "fex", "internal/pace", "bench", "cmd/drp", "monitor"},
}

// Sizes that fit a screen and a mind.
const (
	maxFileLines     = 400
	maxFunctionLines = 80 // of what is no test; so are the parameters
	maxParameters    = 5
)

// largeOnPurpose are the exceptions, each with its reason.
var largeOnPurpose = map[string]string{
	"xtc/dgram.go:PutDgramHeader":    "a header has as many fields",
	"fex/worker.go:Transition":       "so has a record of a transition",
	"drp/dispatch.go:hand":           "it hands such a record on",
	"bench/exchange.go:openExchange": "the two sides of an exchange are chosen one by one",
}

// A rule finds what is wrong with one file.
type rule struct {
	name string
	find func(*goFile) []string
}

var fileRules = []rule{
	{"layers", wrongLayers},
	{"importers", wrongImporters},
	{"no init", initFunctions},
	{"blank line before package", detachedComments},
	{"sizes", sizes},
	{"skipped when checked", skippedWhenChecked},
}

func sizes(f *goFile) (problems []string) {
	for name, size := range tooLarge(f) {
		if _, known := largeOnPurpose[name]; !known {
			problems = append(problems, fmt.Sprintf("%s has %s", name, size))
		}
	}
	return problems
}

func imports(f *goFile) (all []string) {
	for _, spec := range f.tree.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			all = append(all, name)
		}
	}
	return all
}

// layerOf gives the layer of a folder, or of the nearest one above it, -1 if it has none.
func layerOf(dir string) int {
	for ; dir != "."; dir = path.Dir(dir) {
		if at := slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, dir) }); at >= 0 {
			return at
		}
	}
	return -1
}

func wrongLayers(f *goFile) (problems []string) {
	from := layerOf(f.dir())
	if from < 0 {
		return []string{fmt.Sprintf("the folder %s has no layer: give it one in internal/lint", f.dir())}
	}
	top, _, _ := strings.Cut(f.dir(), "/")
	for _, name := range imports(f) {
		to, ours := strings.CutPrefix(name, module)
		if !ours || f.isTest() && (to == f.dir() || to == "internal/testkit") {
			continue
		}
		switch at := layerOf(to); {
		case to == "internal/testkit":
			problems = append(problems, "imports internal/testkit, which is for tests")
		case at < 0 || at > from:
			problems = append(problems, fmt.Sprintf("imports %s, which is not below it", name))
		case at == from && !strings.HasPrefix(to+"/", top+"/"):
			problems = append(problems, fmt.Sprintf("imports %s, which stands beside it", name))
		}
	}
	return problems
}

// wrongImporters finds modules of others that are imported in more than their one place.
func wrongImporters(f *goFile) (problems []string) {
	for _, name := range imports(f) {
		first, _, _ := strings.Cut(name, "/")
		if !strings.Contains(first, ".") { // ours, or of the standard library
			continue
		}
		var places []string
		for mod, only := range importers {
			if name == mod || strings.HasPrefix(name, mod+"/") {
				places = only
			}
		}
		if !slices.Contains(places, f.dir()) {
			problems = append(problems, fmt.Sprintf("imports %s, which only %v may", name, places))
		}
	}
	return problems
}

func initFunctions(f *goFile) (problems []string) {
	for _, d := range f.tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			problems = append(problems, fmt.Sprintf("line %d: func init", f.line(fn.Pos())))
		}
	}
	return problems
}

// detachedComments finds comments above the package clause that are not joined to it, but for directives.
func detachedComments(f *goFile) (problems []string) {
	for _, group := range f.tree.Comments {
		if group.Pos() > f.tree.Package || group == f.tree.Doc {
			continue
		}
		if text := group.List[0].Text; !strings.HasPrefix(text, "//go:build ") {
			problems = append(problems, fmt.Sprintf("line %d: a blank line stands between a comment and package",
				f.line(group.End())))
		}
	}
	return problems
}

// measuredApart is what make test runs apart from the checked build, and leaves out there: MEASURED in the Makefile.
var measuredApart = regexp.MustCompile("Allocates?Nothing")

// skippedWhenChecked finds tests that the checked build skips and that no other build runs.
func skippedWhenChecked(f *goFile) (problems []string) {
	for _, d := range f.tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || measuredApart.MatchString(fn.Name.Name) {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if branch, ok := n.(*ast.IfStmt); ok && says(branch.Cond, "Enabled") && says(branch.Body, "Skip", "Skipf", "SkipNow") {
				problems = append(problems, fmt.Sprintf("line %d: %s is skipped in the checked build, and its name is none of MEASURED in the Makefile",
					f.line(branch.Pos()), fn.Name.Name))
			}
			return true
		})
	}
	return problems
}

// says tells whether one of these names is selected in a part of a file.
func says(part ast.Node, names ...string) (found bool) {
	ast.Inspect(part, func(n ast.Node) bool {
		selected, ok := n.(*ast.SelectorExpr)
		found = found || ok && slices.Contains(names, selected.Sel.Name)
		return !found
	})
	return found
}

// tooLarge gives the file, if it is too long, and its functions that are too long or take too much, with what they have.
// Tests are tables, and may be as long as these are.
func tooLarge(f *goFile) map[string]string {
	large := map[string]string{}
	if lines := f.fset.File(f.tree.Package).LineCount(); lines > maxFileLines {
		large[f.path] = fmt.Sprintf("%d lines", lines)
	}
	for _, d := range f.tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || f.isTest() {
			continue
		}
		name := f.path + ":" + fn.Name.Name
		if lines := f.line(fn.End()) - f.line(fn.Pos()) + 1; lines > maxFunctionLines {
			large[name] = fmt.Sprintf("%d lines", lines)
		}
		if n := fn.Type.Params.NumFields(); n > maxParameters {
			large[name] = fmt.Sprintf("%d parameters", n)
		}
	}
	return large
}

// missingComments finds packages without a package comment, or with one that does not begin as it should.
func missingComments(files []*goFile) (problems []string) {
	said := map[string]string{}
	for _, f := range files {
		if f.isTest() {
			continue
		}
		said[f.dir()] += f.tree.Doc.Text()
		want := "Package " + f.tree.Name.Name + " "
		if f.tree.Name.Name == "main" {
			want = "Command " + path.Base(f.dir()) + " "
		}
		if doc := f.tree.Doc.Text(); doc != "" && !strings.HasPrefix(doc, want) {
			problems = append(problems, fmt.Sprintf("%s: the package comment does not begin with %q", f.path, want))
		}
	}
	for dir, doc := range said {
		if doc == "" {
			problems = append(problems, dir+": no package comment")
		}
	}
	return problems
}

// foreignPlaces finds folders that only exist where somebody wrote the text.
func foreignPlaces(text string) (problems []string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		for _, place := range []string{"/wo" + "rk/", "/ro" + "ot/"} {
			if strings.Contains(line, place) {
				problems = append(problems, fmt.Sprintf("%d: %s is a place of nobody else", number, place))
			}
		}
	}
	return problems
}

// untestedScripts finds example scripts that no test names.
func untestedScripts(texts map[string]string) (problems []string) {
	var tests strings.Builder
	for name, text := range texts {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".py") && strings.HasPrefix(path.Base(name), "test_") {
			tests.WriteString(text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if ok, _ := path.Match("scripts/*.py", name); ok && !strings.Contains(tests.String(), path.Base(name)) {
			problems = append(problems, name+": no test names it")
		}
	}
	return problems
}

package lint

import (
	"slices"
	"strings"
	"testing"
)

// TestPlanted tries each rule on what breaks it, and on what stands just beside that.
func TestPlanted(t *testing.T) {
	const ok = ""
	importing := func(names ...string) string {
		return "package p\n\nimport (\n\"" + strings.Join(names, "\"\n\"") + "\"\n)\n"
	}
	function := func(lines int) string { return "package p\n\nfunc f() {" + strings.Repeat("\n", lines-1) + "}\n" }
	skipping := func(test, when string) string {
		return "package p\n\nfunc " + test + "(t *testing.T) {\nif " + when + " {\nt.Skip()\n}\n}\n"
	}
	tests := []struct {
		name, path, src string
		rule            func(*goFile) []string
		want            string
	}{
		{"a layer below", "source/a.go", importing("drp/pebble", "drp/xtc", "fmt"), wrongLayers, ok},
		{"a layer above", "pebble/a.go", importing("fmt", "drp/source"), wrongLayers, "imports drp/source, which is not below it"},
		{"the assembly from a stage", "fex/a.go", importing("drp/drp"), wrongLayers, "imports drp/drp, which is not below it"},
		{"a stage from a stage", "record/a.go", importing("drp/source"), wrongLayers, "imports drp/source, which stands beside it"},
		{"a stage from a test of a stage", "record/a_test.go", importing("drp/fex"), wrongLayers, "which stands beside it"},
		{"what is ours from the format", "xtc/a.go", importing("drp/shm"), wrongLayers, "imports drp/shm, which stands beside it"},
		{"internal from the format", "xtc/a.go", importing("drp/internal/invariant"), wrongLayers, "which is not below it"},
		{"a sub-folder of a stage", "hit/a.go", importing("drp/hit/cuda"), wrongLayers, ok},
		{"a stage from what lies above", "teb/script/a.go", importing("drp/fex", "drp/teb"), wrongLayers, ok},
		{"what lies above from a stage", "teb/a.go", importing("drp/teb/script"), wrongLayers, "which is not below it"},
		{"internal from internal", "internal/wire/a.go", importing("drp/internal/invariant", "drp/xtc"), wrongLayers, ok},
		{"a package from its test", "xtc/a_test.go", importing("drp/xtc", "drp/internal/testkit"), wrongLayers, ok},
		{"what is for tests", "drp/a.go", importing("drp/internal/testkit"), wrongLayers, "which is for tests"},
		{"the command from bench", "bench/a.go", importing("drp/cmd/drp"), wrongLayers, "which is not below it"},
		{"a new folder", "fresh/a.go", importing("fmt"), wrongLayers, "the folder fresh has no layer"},
		{"from a new folder", "drp/a.go", importing("drp/fresh"), wrongLayers, "imports drp/fresh, which is not below it"},

		{"shmtool where it belongs", "shm/a.go", importing("github.com/ghetzel/shmtool/shm"), wrongImporters, ok},
		{"shmtool elsewhere", "pebble/a.go", importing("github.com/ghetzel/shmtool/shm"), wrongImporters, "which only [shm] may"},
		{"flags elsewhere", "drp/a.go", importing("github.com/spf13/pflag"), wrongImporters, "which only [cmd/drp] may"},
		{"a GPU beside its folder", "hit/a.go", importing("gorgonia.org/cu"), wrongImporters, "which only [hit/cuda] may"},
		{"messages with a version", "internal/wire/a.go", importing("github.com/vmihailenco/msgpack/v5"), wrongImporters, ok},
		{"another module of that name", "shm/a.go", importing("github.com/ghetzel/shmtools"), wrongImporters, "which only [] may"},
		{"a module not known", "cmd/drp/a.go", importing("example.com/left/pad"), wrongImporters, "imports example.com/left/pad"},
		{"anything into the format", "xtc/a.go", importing("golang.org/x/sys/unix"), wrongImporters, "imports golang.org/x/sys/unix"},

		{"init", "a/a.go", "package p\n\nfunc init() {}\n", initFunctions, "line 3: func init"},
		{"a method of that name", "a/a.go", "package p\n\nfunc (t T) init() {}\n", initFunctions, ok},

		{"a package comment", "a/a.go", "// Package p is.\npackage p\n", detachedComments, ok},
		{"a blank line behind it", "a/a.go", "// Package p is.\n\npackage p\n", detachedComments, "line 1: a blank line stands"},
		{"a directive", "a/a.go", "//go:build linux\n\npackage p\n", detachedComments, ok},
		{"a comment below", "a/a.go", "package p\n\n// More.\n\nvar x int\n", detachedComments, ok},

		{"a file that is full", "a/a.go", "package p\n" + strings.Repeat("\n", maxFileLines-2), sizes, ok},
		{"a file that is too full", "a/a.go", "package p\n" + strings.Repeat("\n", maxFileLines), sizes, "a/a.go has 401 lines"},
		{"a function that fits", "a/a.go", function(maxFunctionLines), sizes, ok},
		{"a function that does not", "a/a.go", function(maxFunctionLines + 1), sizes, "a/a.go:f has 81 lines"},
		{"a test that does not", "a/a_test.go", function(maxFunctionLines + 1), sizes, ok},
		{"five parameters", "a/a.go", "package p\n\nfunc f(a, b int, c string, d, e int) {}\n", sizes, ok},
		{"six parameters", "a/a.go", "package p\n\nfunc f(a, b int, c string, d, e, g int) {}\n", sizes, "has 6 parameters"},
		{"six parameters in a test", "a/a_test.go", "package p\n\nfunc f(a, b, c, d, e, g int) {}\n", sizes, ok},
		{"a test that the checked build skips", "a/a_test.go", skipping("TestOrder", "invariant.Enabled"), skippedWhenChecked, "line 4: TestOrder is skipped"},
		{"one that is run apart", "a/a_test.go", skipping("TestPathAllocatesNothing", "invariant.Enabled"), skippedWhenChecked, ok},
		{"one that is skipped elsewhere", "a/a_test.go", skipping("TestOrder", "testing.Short()"), skippedWhenChecked, ok},
		{"six without names", "a/a.go", "package p\n\nfunc f(int, int, int, int, int, int) {}\n", sizes, "has 6 parameters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			check(t, test.rule(parse(t, test.path, test.src)), test.want)
		})
	}
}

// check wants one problem with these words, or none.
func check(t *testing.T, got []string, want string) {
	t.Helper()
	if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestRulesAreTried makes sure that the rules that are planted above are those that the tree is tried with.
func TestRulesAreTried(t *testing.T) {
	broken := parse(t, "nowhere/a.go", "// Lost.\n\npackage p\n\nimport \"example.com/x\"\n\nfunc init() {}\n\n"+
		"func f(a, b, c, d, e, g int) { if invariant.Enabled { a.Skip() } }\n")
	for _, r := range fileRules {
		if len(r.find(broken)) != 1 {
			t.Errorf("%s finds %q", r.name, r.find(broken))
		}
	}
}

func TestPlantedComments(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"one of two files has it", map[string]string{"a/a.go": "package a\n", "a/b.go": "// Package a is.\npackage a\n"}, ""},
		{"none has it", map[string]string{"a/a.go": "package a\n", "a/b.go": "package a\n"}, "a: no package comment"},
		{"only a test has it", map[string]string{"a/a.go": "package a\n", "a/a_test.go": "// Package a is.\npackage a\n"},
			"a: no package comment"},
		{"another word", map[string]string{"a/a.go": "// This is a.\npackage a\n"}, `does not begin with "Package a "`},
		{"a command", map[string]string{"cmd/x/main.go": "// Command x does.\npackage main\n"}, ""},
		{"a command that says package", map[string]string{"cmd/x/main.go": "// Package main is.\npackage main\n"},
			`does not begin with "Command x "`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var files []*goFile
			for path, src := range test.files {
				files = append(files, parse(t, path, src))
			}
			check(t, missingComments(files), test.want)
		})
	}
}

func TestPlantedPlaces(t *testing.T) {
	check(t, foreignPlaces("see /wo"+"rk/notes.md\nand the roots\n"), "1: /wo"+"rk/")
	check(t, foreignPlaces("fine\n/ro"+"ot/.cache\n"), "2: /ro"+"ot/ is a place of nobody else")
	check(t, foreignPlaces("the workers of a network\n"), "")
}

func TestPlantedScripts(t *testing.T) {
	tree := map[string]string{"scripts/a.py": "", "scripts/b.py": "", "scripts/notes.txt": "", "drp/run_test.go": "a.py",
		"drp/run.go": "b.py", "python/src/drp/_b.py": "b.py"}
	check(t, untestedScripts(tree), "scripts/b.py: no test names it")
	tree["python/tests/test_b.py"] = "run b.py"
	check(t, untestedScripts(tree), "")
}

// TestLayersAreSorted has every folder in one layer only.
func TestLayersAreSorted(t *testing.T) {
	all := slices.Sorted(slices.Values(slices.Concat(layers...)))
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("a folder has two layers: %v", all)
	}
}

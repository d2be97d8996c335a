package lint

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Reading a pickle runs whatever its writer put there, so that none is ever read, and none is written either.
var (
	pickling = regexp.MustCompile(`\b(_?[cC]?pickle|cloudpickle|dill|joblib|shelve|marshal)\b`)
	// importing finds modules where Python imports them.
	importing = regexp.MustCompile(`^\s*(?:from\s+([\w.]+)\s+import\b|import\s+([\w., ]+))`)
	// unpickling are calls that read one all the same.
	unpickling = regexp.MustCompile(`\b(?:read_pickle|to_pickle|__import__\(\s*["']pickle|import_module\(\s*["']pickle)`)
	numpyLoad  = regexp.MustCompile(`\b(?:np|numpy)\.(?:lib\.npyio\.)?(?:load|NpzFile)\(`)
	allowed    = regexp.MustCompile(`\ballow_pickle\s*=\s*(\w+)`)
)

// pickles finds where Python code uses one of them, or reads an array without refusing them.
func pickles(text string) (problems []string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		code, _, _ := strings.Cut(line, "#")
		if m := importing.FindStringSubmatch(code); m != nil && pickling.MatchString(m[1]+m[2]) {
			problems = append(problems, fmt.Sprintf("%d: imports %s", number, pickling.FindString(m[1]+m[2])))
		}
		if found := unpickling.FindString(code); found != "" {
			problems = append(problems, fmt.Sprintf("%d: uses %s", number, found))
		}
		if m := allowed.FindStringSubmatch(code); m != nil && m[1] != "False" {
			problems = append(problems, fmt.Sprintf("%d: %s", number, m[0]))
		}
	}
	for _, at := range numpyLoad.FindAllStringIndex(text, -1) {
		if m := allowed.FindStringSubmatch(arguments(text[at[1]:])); m == nil {
			problems = append(problems, fmt.Sprintf("%d: %s...) without allow_pickle=False",
				1+strings.Count(text[:at[0]], "\n"), text[at[0]:at[1]]))
		}
	}
	return problems
}

// arguments is the text up to the bracket that closes a call.
func arguments(text string) string {
	depth := 1
	for i, r := range text {
		switch r {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return text[:i]
			}
		}
	}
	return text
}

// picklesOfGo finds modules that read them in Go.
func picklesOfGo(f *goFile) (problems []string) {
	for _, name := range imports(f) {
		if strings.Contains(name, "pickle") {
			problems = append(problems, "imports "+name)
		}
	}
	return problems
}

func TestNoPickles(t *testing.T) {
	looked := 0
	for name, text := range texts(t) {
		if name == "internal/lint/pickle_test.go" { // this one
			continue
		}
		if strings.HasSuffix(name, ".py") || strings.HasPrefix(text, "#!/usr/bin/env python") || strings.HasSuffix(name, ".md") ||
			strings.HasSuffix(name, "_test.go") {
			looked++
			for _, problem := range pickles(text) {
				t.Errorf("%s:%s", name, problem)
			}
		}
	}
	if looked < 50 {
		t.Errorf("only %d files were looked at", looked)
	}
	for _, f := range goFiles(t) {
		for _, problem := range picklesOfGo(f) {
			t.Errorf("%s: %s", f.path, problem)
		}
	}
}

func TestPlantedPickles(t *testing.T) {
	const p = "pickle"
	for _, test := range []struct{ name, src, want string }{
		{"the module", "import " + p + "\n", "1: imports " + p},
		{"among others", "import os, " + p + " as x\n", "imports " + p},
		{"from it", "x = 1\n    from " + p + " import loads\n", "2: imports " + p},
		{"the fast one", "import _" + p + "\n", "imports _" + p},
		{"one that builds on it", "import joblib\n", "imports joblib"},
		{"a part of it", "from cloud" + p + ".fast import loads\n", "imports cloud" + p},
		{"by name", "__import__('" + p + "')\n", "uses __import__"},
		{"a table", "pd.read_" + p + "(path)\n", "uses read_" + p},
		{"an array that may hold one", "np.load(path, allow_" + p + "=True)\n", "allow_" + p + "=True"},
		{"an array of the default", "a = 1\nnp.load(open(path))\n", "2: np.load(...) without"},
		{"an array that holds none", "np.load(open(path), allow_" + p + "=False)\n", ""},
		{"over lines", "np.load(\n    path,\n    allow_" + p + "=False,\n)\n", ""},
		{"the argument of another call", "np.load(path)\nf(allow_" + p + "=False)\n", "1: np.load(...) without"},
		{"in a comment", "# import " + p + "\n", ""},
		{"a word", "import pick, " + p + "d_fish\n", ""},
		{"json", "import json\njson.load(f)\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) { check(t, pickles(test.src), test.want) })
	}
	for module, want := range map[string]string{"github.com/nlpodyssey/go" + p + "/types": "imports github.com", "fmt": ""} {
		check(t, picklesOfGo(parse(t, "a/a.go", "package p\n\nimport \""+module+"\"\n")), want)
	}
}

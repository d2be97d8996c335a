package lint

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// A goFile is one Go file, whatever its build tags.
type goFile struct {
	path string // from the root of the tree, with slashes
	fset *token.FileSet
	tree *ast.File
}

func (f *goFile) dir() string  { return path.Dir(f.path) }
func (f *goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *goFile) line(p token.Pos) int { return f.fset.Position(p).Line }

func parse(t *testing.T, path, src string) *goFile {
	t.Helper()
	f := &goFile{path: path, fset: token.NewFileSet()}
	tree, err := parser.ParseFile(f.fset, path, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	f.tree = tree
	return f
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("there is no go.mod above this folder")
		}
		dir = filepath.Dir(dir)
	}
}

// texts reads all text files that belong to the tree: those that git knows or would know, or where there is no git all
// but the folders that are built.
func texts(t *testing.T) map[string]string {
	t.Helper()
	dir, found := root(t), map[string]string{}
	for _, name := range names(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			if os.IsNotExist(err) { // deleted, but not yet from the index
				continue
			}
			t.Fatal(err)
		}
		if !bytes.ContainsRune(b[:min(len(b), 8000)], 0) {
			found[filepath.ToSlash(name)] = string(b)
		}
	}
	if len(found) < 50 {
		t.Fatalf("only %d files were found in %s", len(found), dir)
	}
	return found
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = dir
	if out, err := list.Output(); err == nil && len(out) > 0 {
		return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	}
	built := map[string]bool{".git": true, ".venv": true, "bin": true, "out": true, "__pycache__": true, "node_modules": true}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && built[d.Name()]:
			return filepath.SkipDir
		case d.Type().IsRegular():
			name, err := filepath.Rel(dir, path)
			all = append(all, name)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func goFiles(t *testing.T) (all []*goFile) {
	t.Helper()
	for name, text := range texts(t) {
		if strings.HasSuffix(name, ".go") && !strings.Contains("/"+name, "/testdata/") {
			all = append(all, parse(t, name, text))
		}
	}
	return all
}

// TestFiles tries every rule on every file.
func TestFiles(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, r := range fileRules {
			for _, problem := range r.find(f) {
				t.Errorf("%s: %s", f.path, problem)
			}
		}
	}
}

func TestExceptionsAreNeeded(t *testing.T) {
	used := map[string]bool{}
	for _, f := range goFiles(t) {
		for name := range tooLarge(f) {
			used[name] = true
		}
	}
	for name := range largeOnPurpose {
		if !used[name] {
			t.Errorf("%s is small enough: take it off the list", name)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, problem := range missingComments(goFiles(t)) {
		t.Error(problem)
	}
}

func TestNoPlacesOfOurOwn(t *testing.T) {
	for name, text := range texts(t) {
		for _, problem := range foreignPlaces(text) {
			t.Errorf("%s:%s", name, problem)
		}
	}
}

func TestScriptsAreTested(t *testing.T) {
	for _, problem := range untestedScripts(texts(t)) {
		t.Error(problem)
	}
}

func TestMakeMeasuresApart(t *testing.T) {
	if want := "MEASURED = " + measuredApart.String() + "\n"; !strings.Contains(texts(t)["Makefile"], want) {
		t.Errorf("the Makefile does not say %s", want)
	}
}

package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"drp/drp"
)

// noEnvironment takes away what the environment says to drp.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		// DRP_TEST... are for the tests, and say where Python and the sample data are.
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "DRP_") && !strings.HasPrefix(name, "DRP_TEST") {
			t.Setenv(name, "") // so that it is put back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// settled gives the flags of the default verb after a command line, the environment and a file.
func settled(t *testing.T, args []string, env map[string]string, yaml string) (*pflag.FlagSet, error) {
	t.Helper()
	noEnvironment(t)
	for name, value := range env {
		t.Setenv(name, value)
	}
	path := ""
	if yaml != "" {
		path = filepath.Join(t.TempDir(), "drp.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags := newRunCommand().Flags()
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags, applySettings(flags, path)
}

func TestPrecedence(t *testing.T) {
	const file = "workers: 4\nrate: recorded\n"
	env := map[string]string{"DRP_WORKERS": "3"}
	tests := []struct {
		name    string
		args    []string
		env     map[string]string
		file    string
		workers string
	}{
		{"the file", nil, nil, file, "4"},
		{"the environment goes before it", nil, env, file, "3"},
		{"a flag goes before both", []string{"-w", "2"}, env, file, "2"},
		{"a flag that says the default", []string{"-w", "9", "--rate", "full"}, env, file, "9"},
		{"the environment alone", nil, env, "", "3"},
		{"the default", nil, nil, "rate: full", newRunCommand().Flags().Lookup("workers").DefValue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			flags, err := settled(t, test.args, test.env, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if got := flags.Lookup("workers").Value.String(); got != test.workers {
				t.Errorf("%s workers, want %s", got, test.workers)
			}
			if test.file == file && len(test.args) < 3 && flags.Lookup("rate").Value.String() != "recorded" {
				t.Error("the other key of the file is lost")
			}
			if len(test.args) > 2 && flags.Lookup("rate").Value.String() != "full" {
				t.Error("the file goes before a flag")
			}
		})
	}
}

func TestValues(t *testing.T) {
	flags, err := settled(t, nil, map[string]string{"DRP_BUF_BYTES": "8192", "DRP_LOOP": "true"}, `
# a comment
script: "myroi.py 'a b' 120"
workers: 8
source:
  - sim:segments=4,hits=0.2
  - run.xtc2
run: 0014
expt: 0123
max-loss: 0.5
deadline: 1m30s
strict: true
stream: "3"
output: |-
  folder
...
`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"script": "myroi.py 'a b' 120", "workers": "8", "run": "14", "expt": "0123",
		"max-loss": "0.5", "deadline": (90 * time.Second).String(), "strict": "true", "stream": "3", "output": "folder",
		"buf-bytes": "8192", "loop": "true", "policy": "block"} {
		if got := flags.Lookup(name).Value.String(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	sources, err := flags.GetStringArray("source")
	if err != nil || !slices.Equal(sources, []string{"sim:segments=4,hits=0.2", "run.xtc2"}) {
		t.Error(sources, err)
	}
}

func TestHarmlessFiles(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "\n", "a comment": "# nothing yet\n", "null": "null\n", "documents": "workers: 3\n---\nslots: 5\n",
		"one value of a list": "source: [run.xtc2]\n", "a list without brackets": "source: run.xtc2\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := settled(t, nil, nil, text); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSettingsRefused(t *testing.T) {
	tests := []struct {
		name, file string
		want       []string
	}{
		{"unknown key", "workers: 2\nbuf-byte: 5\n", []string{`drp.yaml:2: unknown key "buf-byte"; did you mean "buf-bytes"?`}},
		{"a key with an underscore", "buf_bytes: 5\n", []string{`drp.yaml:1: unknown key "buf_bytes"; did you mean "buf-bytes"?`}},
		{"nothing like it", "temperature: 5\n", []string{`drp.yaml:1: unknown key "temperature"; drp --help lists the keys`}},
		{"a file in a file", "config: other.yaml\n", []string{`drp.yaml:1: config is for the command line alone: leave it out here`}},
		{"help", "help: true\n", []string{`drp.yaml:1: unknown key "help"`}},
		{"a word for a number", "\n\nworkers: many\n", []string{"drp.yaml:3: workers: ", `"many"`}},
		{"a fraction for a number", "workers: 1.5\n", []string{"drp.yaml:1: workers: ", `"1.5"`}},
		{"a number for a duration", "rate: full\ndeadline: 30\n", []string{"drp.yaml:2: deadline: ", "give a time with its unit"}},
		{"a word for a truth", "loop: maybe\n", []string{"drp.yaml:1: loop: ", `"maybe"`}},
		{"another word", "workers: 2\nfex-on: hit\n", []string{`drp.yaml:2: fex-on: invalid argument "hit" for "--fex-on": give all or hits`}},
		{"yes where on is meant", "workers: 2\ngpu: yes\n", []string{`drp.yaml:2: gpu: `, `"yes"`, "give off, on or required"}},
		{"another policy", "policy: wait\n", []string{"drp.yaml:1: policy: ", "give block or drop"}},
		{"another restart policy", "restart-policy: 1\n", []string{"drp.yaml:1: restart-policy: ", "give degrade or abort"}},
		{"another default", "trigger-default: drop\n", []string{"drp.yaml:1: trigger-default: ", "give keep or veto"}},
		{"no value", "workers: 2\noutput:\n", []string{"drp.yaml:2: output: a single value is wanted"}},
		{"a mapping", "source:\n  sim: 4\n", []string{"drp.yaml:1: source: a single value is wanted"}},
		{"a mapping in a list", "source:\n  - run.xtc2\n  - sim: 4\n", []string{"drp.yaml:1: source: a single value is wanted"}},
		{"a list in a list", "source: [[a]]\n", []string{"drp.yaml:1: source: a single value is wanted"}},
		{"a list for one value", "workers: [1, 2]\n", []string{"drp.yaml:1: workers: a single value is wanted"}},
		{"an empty list", "source: []\n", []string{"drp.yaml:1: source: a single value is wanted"}},
		{"an alias", "expt: &a test\noutput: *a\n", []string{"drp.yaml:1: expt: a single value is wanted"}},
		{"twice", "workers: 2\nslots: 3\nworkers: 4\n", []string{"drp.yaml:", "workers", "3"}},
		{"twice in two documents", "workers: 2\n---\nworkers: 4\n", []string{`drp.yaml:3: "workers" is set a second time`}},
		{"a list of keys", "- workers\n", []string{"drp.yaml:1: a mapping of flag names to values is wanted"}},
		{"a word", "workers\n", []string{"drp.yaml:1: a mapping of flag names to values is wanted"}},
		{"no YAML", "workers: [\n", []string{"drp.yaml:"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := settled(t, nil, nil, test.file)
			if err == nil {
				t.Fatal("it was taken")
			}
			var failure *drp.Failure
			if !errors.As(err, &failure) || failure.Kind != drp.Configuration {
				t.Errorf("%v is no failure of the configuration", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
}

func TestEnvironmentRefused(t *testing.T) {
	_, err := settled(t, nil, map[string]string{"DRP_WORKERS": "many"}, "workers: 3\n")
	var failure *drp.Failure
	if !errors.As(err, &failure) || failure.Kind != drp.Configuration ||
		!strings.Contains(err.Error(), `environment variable DRP_WORKERS="many": `) {
		t.Error(err)
	}
}

// TestConfigFromEnvironment names the file by DRP_CONFIG.
func TestConfigFromEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drp.yaml")
	if err := os.WriteFile(path, []byte("workers: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags, err := settled(t, nil, map[string]string{"DRP_CONFIG": path}, "")
	if err != nil || flags.Lookup("workers").Value.String() != "5" {
		t.Error(flags.Lookup("workers").Value, err)
	}
	if _, err := settled(t, nil, map[string]string{"DRP_CONFIG": path + "x"}, ""); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzSettings reads files of any text: no panic, and every error names the file.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{"workers: 4\n", "source: [a, b]\n", "a: &x 1\nb: *x\n", "? [a]: b\n", "- a\n", "%YAML 1.2\n---\n"} {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), "drp.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Skip(err)
		}
		if err := applySettings(newRunCommand().Flags(), path); err != nil && !strings.Contains(err.Error(), path) {
			t.Error(err)
		}
	})
}

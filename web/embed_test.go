package web_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drp/web"
)

func text(t *testing.T, name string) string {
	t.Helper()
	b, err := fs.ReadFile(web.Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestThePageLoadsOnlyItself: the policy that it is served with allows nothing else, and nothing inline.
func TestThePageLoadsOnlyItself(t *testing.T) {
	page := text(t, "index.html")
	loaded := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(loaded) < 3 {
		t.Fatalf("the page loads %q", loaded)
	}
	for _, found := range loaded {
		if name := found[1]; name != "v1/status" && text(t, name) == "" {
			t.Errorf("%s is empty", name)
		}
	}
	for _, wrong := range []string{"<style", "style=", "<script>", " onclick", "//", "javascript:"} {
		if strings.Contains(page, wrong) {
			t.Errorf("index.html has %q", wrong)
		}
	}
	code := text(t, "app.js")
	for _, wrong := range []string{"eval(", "new Function(", "document.write", "insertAdjacentHTML"} {
		if strings.Contains(code, wrong) {
			t.Errorf("app.js has %q", wrong)
		}
	}
	if style := text(t, "app.css"); strings.Contains(style, "@import") || strings.Contains(style, "url(") {
		t.Error("app.css loads something")
	}
}

// TestTextIsText: the framework makes text of all that it is given, unless it is asked for HTML.
func TestTextIsText(t *testing.T) {
	files, err := filepath.Glob("src/*.ts*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d sources: %v", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"dangerouslySetInnerHTML", "innerHTML", "outerHTML"} {
			if strings.Contains(string(b), wrong) {
				t.Errorf("%s has %s", name, wrong)
			}
		}
		if lines := strings.Count(string(b), "\n"); lines > 400 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
}

func TestLicencesOfWhatIsBundled(t *testing.T) {
	licences := text(t, "LICENSES.txt")
	for _, name := range []string{"preact ", "uplot ", "Permission is hereby granted", "Copyright (c)"} {
		if !strings.Contains(licences, name) {
			t.Errorf("LICENSES.txt lacks %q", name)
		}
	}
}
